"""Paired differences from a reference, column by column, as a forest plot."""

from typing import TYPE_CHECKING, Final, Literal

from pydantic import model_validator

from anisora.leaderboards.effects import Effect, Verdict, effect_matrix
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import (
    GRID,
    INK,
    NOTE_SIZE,
    QUIET,
    TEXT_WIDTH,
    drawable,
    fitting_size,
    text_widths,
)
from anisora.leaderboards.report.paper_figures.canvas import BETTER, WORSE, Canvas, clean, rounded_ticks
from anisora.leaderboards.report.paper_figures.figure_data import (
    MOST_SYSTEMS,
    PAGE_HEIGHT,
    Axis,
    FigureData,
    FigureWords,
    Number,
    Omission,
    Part,
    Parts,
    System,
    axis_of,
    best_rows,
    note_on_choice,
    systems_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Difference", "Forest", "ForestPanel", "data_of", "draw"]

_MARKS: Final[dict[Verdict, tuple[str, str, str]]] = {
    "better": ("^", BETTER, BETTER),
    "worse": ("v", WORSE, WORSE),
    "alike": ("o", "#ffffff", INK),
    "unknown": ("x", QUIET, QUIET),
}
"""(marker, its colour, the colour of its edge and of the interval)"""
MOST_COLUMNS: Final = 16
_ACROSS: Final = 4
_FEWEST_SYSTEMS: Final = 12
"""For which there is always room."""
_ROW, _HEAD, _FOOT, _BELOW, _GAP, _KEY = 0.14, 0.2, 0.2, 0.08, 0.14, 0.2  # inches
_LONGEST_NAME = 1.9


class Difference(Part):
    """One system by one column, in natural units."""

    value: Number
    """System minus reference, the mean over the items that both have."""
    low: Number | None
    high: Number | None
    """Ends of the interval; None where there are too few clusters for one."""
    items: int
    verdict: Verdict


class ForestPanel(Part):
    """One column."""

    axis: Axis
    differences: tuple[Difference | None, ...]
    """Of each system; None where it shares no item with the reference."""


class Forest(FigureData):
    """Systems by columns."""

    figure: Literal["forest"] = "forest"
    reference: System
    """What the others are compared with."""
    level: Number
    systems: Parts[System]
    panels: Parts[ForestPanel]
    verdicts: dict[Verdict, str]
    """What the marks say, for those that occur."""

    @model_validator(mode="after")
    def _panels_have_all_systems(self) -> "Forest":
        if any(len(panel.differences) != len(self.systems) for panel in self.panels):
            raise ValueError(f"expected {len(self.systems)} differences in every panel, one for each system")
        if any(effect and effect.verdict not in self.verdicts for panel in self.panels for effect in panel.differences):
            raise ValueError("expected every verdict in `verdicts`")
        return self


def data_of(data: ReportData, say: FigureWords) -> Forest | Omission:
    """Return what a forest plot shows.

    The reference is the ground truth, else the first system of the table. The intervals are those of the paired
    differences of ``effect_matrix``.
    """
    table = data.table
    systems = systems_of(table)
    truth = next((row for row in table.rows if row.reference), None)
    reference = table.rows[0] if truth is None else truth
    matrix = data.matrix or effect_matrix(table, data.scores, against=reference.run_id)
    columns = table.columns[:MOST_COLUMNS]
    most = _room(len(columns))
    chosen = [row for row in best_rows(table, most) if row.run_id != reference.run_id]
    if matrix is None or not chosen:
        return Omission(figure="forest", reason=say("forest_omitted"))
    effects = {row.run_id: row.effects for row in matrix.rows}
    panels = tuple(
        ForestPanel(axis=axis_of(column), differences=tuple(_difference(effects[row.run_id][at]) for row in chosen))
        for at, column in enumerate(columns)
    )
    panels = tuple(panel for panel in panels if any(panel.differences))
    found = [effect for panel in panels for effect in panel.differences if effect is not None]
    if not found:
        return Omission(figure="forest", reason=say("forest_omitted"))
    level = 0.95
    texts = {verdict: say(f"forest_{verdict}") for verdict in _MARKS}
    return Forest(
        language=say.language,
        suite=table.suite_key,
        title=say("forest_title", reference=systems[reference.run_id].label),
        note=say("space").join(
            [
                say("forest_note", reference=systems[reference.run_id].label, percent=round(100 * level)),
                *([say("forest_reference")] if any(panel.axis.direction == "reference" for panel in panels) else []),
                *note_on_choice(table, say, most, MOST_COLUMNS),
            ]
        ),
        reference=systems[reference.run_id],
        level=level,
        systems=tuple(systems[row.run_id] for row in chosen),
        panels=panels,
        verdicts={verdict: text for verdict, text in texts.items() if any(each.verdict == verdict for each in found)},
    )


def _room(columns: int) -> int:
    """Return how many systems a page has room for beside so many columns."""
    lines = -(-columns // _ACROSS)
    rows = int((PAGE_HEIGHT / lines - _HEAD - _FOOT - _BELOW) / _ROW)
    return min(MOST_SYSTEMS, max(_FEWEST_SYSTEMS, rows))


def _difference(effect: Effect) -> Difference | None:
    if effect.difference is None or effect.difference.estimate.value is None:
        return None
    estimate = effect.difference.estimate
    assert estimate.value is not None
    return Difference(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        items=effect.difference.items,
        verdict=effect.verdict,
    )


def draw(data: Forest) -> "Figure":
    """Draw a panel for each column, names to the left of each line of panels."""
    names = [drawable(system.label) for system in data.systems]
    size = fitting_size(names, _LONGEST_NAME, NOTE_SIZE + 0.5)
    left = max(text_widths(names, size)) + 0.15
    down = -(-len(data.panels) // _ACROSS)
    across = -(-len(data.panels) // down)
    wide = (TEXT_WIDTH - left - _GAP * across) / across
    tall = _ROW * len(names)
    step = _HEAD + tall + _FOOT + _BELOW
    canvas = Canvas(TEXT_WIDTH, down * step + _KEY, data.note)
    for place, panel in enumerate(data.panels):
        row, column = divmod(place, across)
        axes = canvas.axes(left + column * (wide + _GAP), row * step + _HEAD, wide, tall)
        _draw_panel(axes, panel, data)
        if column == 0:
            axes.set_yticks(range(len(names)), names, fontsize=size)
        else:
            axes.set_yticks(range(len(names)), [""] * len(names))
    _draw_key(canvas, data, down * step)
    return canvas.figure


def _draw_panel(axes: "Axes", panel: ForestPanel, data: Forest) -> None:
    scale = panel.axis.scale
    axes.axvline(0, color=QUIET, linewidth=0.7, zorder=1)
    for place, effect in enumerate(panel.differences):
        axes.axhline(place, color=GRID, linewidth=0.4, zorder=0)
        if effect is None:
            continue
        marker, face, edge = _MARKS[effect.verdict]
        if effect.low is not None and effect.high is not None:
            axes.plot([effect.low * scale, effect.high * scale], [place, place], color=edge, linewidth=1.0, zorder=2)
        axes.plot(
            [effect.value * scale],
            [place],
            marker=marker,
            markersize=3.4,
            color=face,
            markeredgecolor=edge,
            markeredgewidth=0.7,
            zorder=3,
        )
    axes.set_ylim(len(data.systems) - 0.5, -0.5)
    axes.set_title(drawable(panel.axis.label), fontsize=7.5, color=INK, pad=3)
    clean(axes, sides=("bottom",))
    axes.tick_params(axis="y", length=0)
    rounded_ticks(axes.xaxis)


def _draw_key(canvas: Canvas, data: Forest, top: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=marker, color=face, markeredgecolor=edge, linestyle="", markersize=4)
        for verdict, (marker, face, edge) in _MARKS.items()
        if verdict in data.verdicts
    ]
    canvas.figure.legend(
        handles,
        [drawable(data.verdicts[verdict]) for verdict in _MARKS if verdict in data.verdicts],
        loc="lower center",
        bbox_to_anchor=(0.5, 1 - (top + _KEY) / canvas.whole),
        ncols=len(handles),
        frameon=False,
        fontsize=NOTE_SIZE + 0.5,
        borderpad=0,
        labelcolor=INK,
        handletextpad=0.2,
        columnspacing=1.6,
    )
