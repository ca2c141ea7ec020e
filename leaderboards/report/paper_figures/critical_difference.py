"""Mean ranks of systems, with bars over those that cannot be told apart: a critical-difference diagram."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, model_validator

from anisora.harness.statistics.mean_ranks import MeanRanks, mean_ranks
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import INK, NOTE_SIZE, QUIET, TEXT_WIDTH, drawable, text_widths
from anisora.leaderboards.report.paper_figures.canvas import Canvas, draw_key, key_height
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
from anisora.leaderboards.table import TableColumn
from anisora.leaderboards.ties import rivals_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CriticalDifference", "RankPanel", "RankedSystem", "data_of", "draw"]

MOST_COLUMNS: Final = 12
_FEWEST_SYSTEMS: Final = 12
"""For which there is always room."""
_USUAL_BARS: Final = 4
_FEWEST_CLUSTERS: Final = 6
"""With fewer, no flip of signs is rare enough for five in a hundred."""
_GAP, _TITLE, _AXIS, _BAR, _LABEL, _FOOT = 0.25, 0.22, 0.2, 0.07, 0.125, 0.14  # inches
_ARM, _SHORTEST_AXIS, _TICK = 0.1, 1.5, 0.15  # inches
_SPACE: Final = 0.04
"""Between two bars of one height, as a share of the axis."""


class RankedSystem(Part):
    """One system in one column."""

    system: int
    """Its place in ``systems``."""
    rank: Number
    """Mean over the items, 1 the best."""


class RankPanel(Part):
    """One column, best system first."""

    axis: Axis
    ranks: Parts[RankedSystem]
    groups: Annotated[tuple[Parts[int], ...], Field(max_length=2000)]
    """Places in ``ranks`` of systems of which no two can be told apart; all largest groups of two or more."""
    items: int
    clusters: int
    left_out: int
    """Items that some system lacks."""


class CriticalDifference(FigureData):
    """A panel for each column."""

    figure: Literal["critical_difference"] = "critical_difference"
    level: Number
    method: str
    """Of the tests, which are corrected for all pairs in all panels."""
    seed: int | None
    systems: Parts[System]
    panels: Parts[RankPanel]

    @model_validator(mode="after")
    def _places_exist(self) -> "CriticalDifference":
        for panel in self.panels:
            if any(not 0 <= ranked.system < len(self.systems) for ranked in panel.ranks) or len(panel.ranks) < 2:
                raise ValueError("expected two ranks or more in every panel, each of a place in `systems`")
            if any(not 0 <= place < len(panel.ranks) for group in panel.groups for place in group):
                raise ValueError("expected places in `ranks` in every group")
        return self


def data_of(data: ReportData, say: FigureWords) -> CriticalDifference | Omission:
    """Return what a critical-difference diagram shows.

    Systems are ranked on each item, and differences of mean ranks tested by ``mean_ranks``: one family over all pairs
    and columns. Ground truth and baselines are not ranked; a column needs six clusters and two systems.
    """
    table = data.table
    most = _room(min(MOST_COLUMNS, len(table.columns)))
    chosen = [row for row in best_rows(table, most) if not row.baseline]
    rivals = rivals_of(table, data.scores)
    columns: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for column in table.columns[:MOST_COLUMNS]:
        values = rivals.columns.get(column.metric, {})
        mine = {row.run_id: values[row.run_id] for row in chosen if row.run_id in values}
        shared = set.intersection(*map(set, mine.values())) if mine else set()
        if len(mine) > 1 and len({rivals.clusters[item] for item in shared}) >= _FEWEST_CLUSTERS:
            columns[column.metric] = mine
    if not columns:
        return Omission(figure="critical_difference", reason=say("ranks_omitted", clusters=_FEWEST_CLUSTERS))
    lower = rivals.lower_is_better & columns.keys()
    found = mean_ranks(columns, rivals.clusters, lower_is_better=lower)
    by_metric = {column.metric: column for column in table.columns}
    places = {row.run_id: place for place, row in enumerate(chosen)}
    systems = systems_of(table)
    flips = found[0].flips
    method = say("ranks_exact", flips=flips) if found[0].seed is None else say("ranks_drawn", flips=flips)
    note = say("ranks_note", percent=round(100 * found[0].level), method=method)
    return CriticalDifference(
        language=say.language,
        suite=table.suite_key,
        title=say("ranks_title"),
        note=say("space").join([note, *note_on_choice(table, say, most, MOST_COLUMNS)]),
        level=found[0].level,
        method=found[0].method,
        seed=found[0].seed,
        systems=tuple(systems[row.run_id] for row in chosen),
        panels=tuple(_panel(by_metric[ranks.column], ranks, places) for ranks in found),
    )


def _room(columns: int) -> int:
    """Return how many systems a page has room for beside so many columns."""
    lines = -(-columns // 2)
    labels = int((PAGE_HEIGHT / lines - _TITLE - _AXIS - _BAR * (_USUAL_BARS + 1) - _FOOT) / _LABEL)
    return min(MOST_SYSTEMS, max(_FEWEST_SYSTEMS, 2 * labels))


def _panel(column: TableColumn, ranks: MeanRanks, places: Mapping[str, int]) -> RankPanel:
    order = [system.name for system in ranks.systems]
    return RankPanel(
        axis=axis_of(column),
        ranks=tuple(RankedSystem(system=places[system.name], rank=system.rank) for system in ranks.systems),
        groups=tuple(tuple(order.index(name) for name in group) for group in ranks.groups),
        items=ranks.items,
        clusters=ranks.clusters,
        left_out=ranks.left_out,
    )


def draw(data: CriticalDifference) -> "Figure":
    """Draw a panel for each column, two side by side; long names give way to numbers and a key."""
    names = [drawable(system.label) for system in data.systems]
    half = (TEXT_WIDTH - _GAP) / 2
    is_numbered = 2 * (max(text_widths(names, NOTE_SIZE)) + _ARM) > half - _SHORTEST_AXIS
    texts = [str(place + 1) for place in range(len(names))] if is_numbered else names
    margin = max(text_widths(texts, NOTE_SIZE)) + _ARM + 0.03
    lines = [data.panels[start : start + 2] for start in range(0, len(data.panels), 2)]
    heights = [max(map(_height, line)) for line in lines]
    key = key_height(names, TEXT_WIDTH) if is_numbered else 0.0
    canvas = Canvas(TEXT_WIDTH, sum(heights) + key, data.note)
    top = 0.0
    for line, height in zip(lines, heights, strict=True):
        for at, panel in enumerate(line):
            axes = canvas.axes(at * (half + _GAP), top, half, _height(panel))
            _draw_panel(axes, panel, texts, margin, half)
        top += height
    if is_numbered:
        draw_key(canvas, names, top, TEXT_WIDTH)
    return canvas.figure


def _levels(panel: RankPanel) -> list[int]:
    """Return the height of each bar, counted from the axis: the first at which no other is in its way."""
    taken: list[list[tuple[float, float]]] = []
    levels = []
    for group in panel.groups:
        ranks = [panel.ranks[member].rank for member in group]
        low, high = min(ranks), max(ranks)
        room = (len(panel.ranks) - 1) * _SPACE
        level = next(
            (at for at, bars in enumerate(taken) if all(high + room < a or b + room < low for a, b in bars)), len(taken)
        )
        taken += [[]] * (level == len(taken))
        taken[level] = [*taken[level], (low, high)]
        levels.append(level)
    return levels


def _bars(panel: RankPanel) -> float:
    """Return the inches that bars take below the axis."""
    return _BAR * (max(_levels(panel), default=-1) + 2)


def _height(panel: RankPanel) -> float:
    return _TITLE + _AXIS + _bars(panel) + _LABEL * -(-len(panel.ranks) // 2) + _FOOT


def _draw_panel(axes: "Axes", panel: RankPanel, texts: list[str], margin: float, wide: float) -> None:
    """Draw in inches from the upper left corner."""
    axes.set_xlim(0, wide)
    axes.set_ylim(_height(panel), 0)
    axes.set_axis_off()
    count = len(panel.ranks)
    unit = (wide - 2 * margin) / (count - 1)

    def across(rank: float) -> float:
        return margin + (rank - 1) * unit

    line = _TITLE + _AXIS
    axes.text(wide / 2, 0.03, drawable(panel.axis.label), fontsize=7.5, color=INK, ha="center", va="top")
    axes.plot([across(1), across(count)], [line, line], color=INK, linewidth=0.7, solid_capstyle="butt")
    step = next(step for step in (1, 2, 5, count) if step * unit > _TICK or step == count)
    for rank in range(1, count + 1):
        axes.plot([across(rank)] * 2, [line - 0.04, line], color=INK, linewidth=0.7)
        if rank not in (1, count) and (rank % step or count - rank < step):
            continue
        axes.text(across(rank), line - 0.055, str(rank), fontsize=NOTE_SIZE, color="#5b6472", ha="center", va="bottom")
    for level, group in zip(_levels(panel), panel.groups, strict=True):
        height = line + _BAR * (level + 1)
        ends = [across(panel.ranks[member].rank) for member in group]
        axes.plot([min(ends) - 0.02, max(ends) + 0.02], [height] * 2, color=INK, linewidth=1.6, solid_capstyle="butt")
        axes.plot(ends, [height] * len(ends), linestyle="", marker="o", markersize=3.2, color=INK)
    below = line + _bars(panel)
    left = -(-count // 2)
    for place, ranked in enumerate(panel.ranks):
        is_left = place < left
        height = below + _LABEL * ((place if is_left else count - 1 - place) + 0.5)
        x, end = across(ranked.rank), margin - 0.04 if is_left else wide - margin + 0.04
        axes.plot([x, x, end], [line, height, height], color=QUIET, linewidth=0.6, zorder=0)
        axes.text(
            end + (-0.03 if is_left else 0.03),
            height,
            texts[ranked.system],
            fontsize=NOTE_SIZE,
            color=INK,
            ha="right" if is_left else "left",
            va="center",
        )
