"""Systems over columns as a radar."""

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import model_validator

from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import GRID, INK, QUIET, TEXT_WIDTH, drawable, fitting_size
from anisora.leaderboards.report.paper_figures.canvas import COLOURS, DASHES, MARKERS, Canvas
from anisora.leaderboards.report.paper_figures.figure_data import (
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
    named,
    note_on_coverage,
    systems_of,
)
from anisora.leaderboards.table import Row, TableColumn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST", "Radar", "RadarLine", "Spoke", "data_of", "draw"]

MOST: Final = 6
"""Systems; more lines hide one another."""
_FEWEST_SPOKES: Final = 3
_INNER: Final = 0.2
"""Radius of the worst, the best being at 1."""
_STEEP: Final = 0.9
"""Spokes that rise more have their name above or below the end, others beside it."""
_HEIGHT, _WIDTH, _RADIUS = 3.3, 4.3, 1.3  # inches
_HANDLE = 0.5  # inches of the key's lines


class Spoke(Part):
    """A column, and what stands at the ends of its spoke."""

    axis: Axis
    worst: Number
    """At the inner ring, in natural units: a value, or a distance to the ground truth."""
    best: Number
    """At the outer ring."""
    is_distance: bool


class RadarLine(Part):
    """One system."""

    system: System
    values: tuple[Number, ...]
    """Of each spoke, in natural units: the value, or the distance to the ground truth."""
    places: tuple[Number, ...]
    """From 0, the worst of those drawn, to 1, the best."""


class Radar(FigureData):
    """The lines of a radar."""

    figure: Literal["radar"] = "radar"
    spokes: Parts[Spoke]
    lines: Parts[RadarLine]

    @model_validator(mode="after")
    def _lines_have_all_spokes(self) -> "Radar":
        if len(self.spokes) < _FEWEST_SPOKES:
            raise ValueError(f"expected {_FEWEST_SPOKES} spokes or more")
        if any(len(line.values) != len(self.spokes) or len(line.places) != len(self.spokes) for line in self.lines):
            raise ValueError(f"expected {len(self.spokes)} values and places in every line, one for each spoke")
        return self


def data_of(data: ReportData, say: FigureWords) -> Radar | Omission:
    """Return what a radar shows.

    A column is a spoke if it has a direction and all lines have a value. Places are linear from the worst to the best
    of the lines drawn, the ground truth among them; where closest to the ground truth is best, the distance of the
    means counts.
    """
    table = data.table
    systems = systems_of(table)
    truth = next((row for row in table.rows if row.reference), None)
    chosen = best_rows(table, MOST)
    rows = (*chosen, *((truth,) if truth is not None else ()))
    spokes, columns, drawn = [], [], []
    for at, column in enumerate(table.columns):
        values = _values(column, [row.cells[at].value for row in rows], truth.cells[at].value if truth else None)
        if values is not None:
            lower = column.direction != "higher"
            worst, best = (max(values), min(values)) if lower else (min(values), max(values))
            is_distance = column.direction == "reference"
            spokes.append(Spoke(axis=axis_of(column), worst=worst, best=best, is_distance=is_distance))
            columns.append(values)
            drawn.append(at)
    if len(spokes) < _FEWEST_SPOKES or len(rows) < 2:
        return Omission(figure="radar", reason=say("radar_omitted", spokes=len(spokes), lines=len(rows)))
    lines = tuple(
        RadarLine(
            system=systems[row.run_id],
            values=tuple(values[place] for values in columns),
            places=tuple(_place(spoke, values[place]) for spoke, values in zip(spokes, columns, strict=True)),
        )
        for place, row in enumerate(rows)
    )
    absent = [column.header for at, column in enumerate(table.columns) if at not in drawn]
    labels = [line.system.label for line in lines]
    coverage = note_on_coverage(rows, drawn, say, labels)
    return Radar(
        language=say.language,
        suite=table.suite_key,
        title=say("radar_title"),
        note=say("space").join([*_notes(say, spokes, absent, len(chosen), table.rows), *coverage]),
        spokes=tuple(spokes),
        lines=lines,
    )


def _values(column: TableColumn, values: list[float | None], truth: float | None) -> list[float] | None:
    """Return what is on a spoke, or None where somebody lacks it."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or column.direction is None:
        return None
    if column.direction != "reference":
        return known
    return None if truth is None else [abs(value - truth) for value in known]


def _place(spoke: Spoke, value: float) -> float:
    return 1.0 if spoke.best == spoke.worst else (value - spoke.worst) / (spoke.best - spoke.worst)


def _notes(say: FigureWords, spokes: list[Spoke], absent: list[str], chosen: int, rows: tuple[Row, ...]) -> list[str]:
    parts = [say("radar_note")]
    if any(spoke.is_distance for spoke in spokes):
        parts.append(say("radar_distance"))
    systems = sum(not row.reference for row in rows)
    if chosen < systems:
        parts.append(say("best_shown", shown=chosen, systems=systems))
    if absent:
        parts.append(say("radar_absent", columns=named(absent, say)))
    return parts


def draw(data: Radar) -> "Figure":
    """Draw a radar, and its key beside it."""
    canvas = Canvas(TEXT_WIDTH, _HEIGHT, data.note)
    panel = canvas.axes(0, 0, _WIDTH, _HEIGHT)
    panel.set_xlim(-_WIDTH / 2 / _RADIUS, _WIDTH / 2 / _RADIUS)
    panel.set_ylim(-_HEIGHT / 2 / _RADIUS, _HEIGHT / 2 / _RADIUS)
    panel.set_axis_off()
    angles = [math.pi / 2 - 2 * math.pi * at / len(data.spokes) for at in range(len(data.spokes))]
    _draw_grid(panel, data, angles)
    for at, line in enumerate(data.lines):
        radii = [_INNER + (1 - _INNER) * place for place in line.places]
        across = [radius * math.cos(angle) for radius, angle in zip(radii, angles, strict=True)]
        up = [radius * math.sin(angle) for radius, angle in zip(radii, angles, strict=True)]
        panel.plot([*across, across[0]], [*up, up[0]], **_style(line, at), label=drawable(line.system.label))
    handles, labels = panel.get_legend_handles_labels()
    canvas.figure.legend(
        handles,
        labels,
        loc="center left",
        bbox_to_anchor=((_WIDTH + 0.05) / TEXT_WIDTH, 1 - _HEIGHT / 2 / canvas.whole),
        frameon=False,
        fontsize=fitting_size(labels, TEXT_WIDTH - _WIDTH - _HANDLE, 7),
        handlelength=2.6,
        labelcolor=INK,
        labelspacing=0.7,
    )
    return canvas.figure


def _style(line: RadarLine, at: int) -> dict[str, Any]:
    if line.system.role == "reference":
        return {"color": INK, "linewidth": 1.0, "linestyle": (0, (1, 1)), "zorder": 2}
    at %= len(COLOURS)
    return {
        "color": COLOURS[at],
        "linewidth": 1.3,
        "linestyle": DASHES[at],
        "marker": MARKERS[at],
        "markersize": 3.4,
        "zorder": 3,
    }


def _draw_grid(panel: "Axes", data: Radar, angles: list[float]) -> None:
    circle = [2 * math.pi * step / 180 for step in range(181)]
    for radius in (_INNER, (1 + _INNER) / 2, 1.0):
        edge = radius in (_INNER, 1.0)
        panel.plot(
            [radius * math.cos(angle) for angle in circle],
            [radius * math.sin(angle) for angle in circle],
            color=QUIET if edge else GRID,
            linewidth=0.6,
            zorder=1,
        )
    for spoke, angle in zip(data.spokes, angles, strict=True):
        across, up = math.cos(angle), math.sin(angle)
        panel.plot([_INNER * across, across], [_INNER * up, up], color=GRID, linewidth=0.6, zorder=1)
        ends = f"{spoke.axis.printed(spoke.worst)} … {spoke.axis.printed(spoke.best)}"
        text = f"{drawable(spoke.axis.label)}\n{'Δ ' if spoke.is_distance else ''}{ends}"
        panel.text(
            (1.07 if abs(up) > _STEEP else 1.11) * across,
            (1.07 if abs(up) > _STEEP else 1.11) * up,
            text,
            fontsize=6.5,
            linespacing=1.15,
            color=INK,
            ha="center" if abs(across) < 0.2 else "left" if across > 0 else "right",
            va="center" if abs(up) < _STEEP else "bottom" if up > 0 else "top",
        )
