"""Motion against consistency: a trade-off, with the systems that no other beats in both."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import model_validator

from anisora.harness.errors import DataError
from anisora.leaderboards.pareto import pareto_rows
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import (
    GRID,
    INK,
    NOTE_SIZE,
    QUIET,
    TEXT_WIDTH,
    TRUTH,
    drawable,
    text_widths,
)
from anisora.leaderboards.report.paper_figures.canvas import Canvas, clean, draw_key, key_height, rounded_ticks
from anisora.leaderboards.report.paper_figures.figure_data import (
    MOST_SYSTEMS,
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
    note_on_coverage,
    systems_of,
)
from anisora.leaderboards.report.paper_figures.label_places import label_places
from anisora.leaderboards.table import LeaderboardTable, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CONSISTENCY", "MOTION", "Pareto", "ParetoPoint", "Span", "data_of", "draw", "trade_off_of"]

MOTION: Final = ("flow_magnitude", "dynamic_degree", "visual_motion", "motion_score", "region_motion_ratio")
"""Metrics that say how much moves; of those in a table that most systems have, the first is taken."""
CONSISTENCY: Final = (
    "subject_consistency",
    "feature_consistency",
    "character_consistency",
    "i2v_subject",
    "first_frame_feature_similarity",
    "image_video_consistency",
    "background_consistency",
    "face_kept",
    "temporal_flickering",
    "warping_error",
)
"""Metrics that say how much stays as it was, in the same way."""
_LEADER: Final = 0.065  # inches between a number's middle and the line to its point
Mark = Literal["unbeaten", "beaten", "baseline", "reference"]
_COLOUR: Final = "#0072b2"
_PANEL, _HEIGHT, _LEFT, _FOOT, _MARKS = 3.8, 2.75, 0.5, 0.38, 0.75  # inches
_STYLES: Final[dict[Mark, dict[str, Any]]] = {
    "unbeaten": {"marker": "o", "markersize": 5, "color": _COLOUR},
    "beaten": {"marker": "o", "markersize": 5, "color": "#ffffff", "markeredgecolor": _COLOUR},
    "baseline": {"marker": "s", "markersize": 4.5, "color": "#ffffff", "markeredgecolor": QUIET},
    "reference": {"marker": "*", "markersize": 9, "color": TRUTH, "markeredgecolor": TRUTH},
}


class Span(Part):
    """A value with its interval, in natural units."""

    value: Number
    low: Number | None
    high: Number | None


class ParetoPoint(Part):
    """One system."""

    system: System
    across: Span
    up: Span
    is_unbeaten: bool
    """No other system is at least as good in both and better in one; never of ground truth and baselines."""


class Pareto(FigureData):
    """Systems in the plane of two columns."""

    figure: Literal["pareto"] = "pareto"
    level: Number
    across: Axis
    up: Axis
    points: Parts[ParetoPoint]
    marks: dict[Mark, str]
    """What the marks say, for those that occur."""

    @model_validator(mode="after")
    def _marks_are_told(self) -> "Pareto":
        if not self.points or any(_mark(point) not in self.marks for point in self.points):
            raise ValueError("expected a point, and every mark in `marks`")
        return self


def trade_off_of(table: LeaderboardTable) -> tuple[str, str] | None:
    """Return the metrics of motion and of consistency that a table has, or None."""

    def first(metrics: Sequence[str]) -> str | None:
        counts = {
            column.metric: sum(row.cells[at].value is not None for row in table.rows)
            for at, column in enumerate(table.columns)
            if column.direction is not None
        }
        return max((metric for metric in metrics if counts.get(metric)), key=counts.__getitem__, default=None)

    motion, consistency = first(MOTION), first(CONSISTENCY)
    return None if motion is None or consistency is None else (motion, consistency)


def data_of(data: ReportData, say: FigureWords, metrics: tuple[str, str] | None = None) -> Pareto | Omission:
    """Return what a trade-off shows.

    Args:
        data: The report.
        say: The language.
        metrics: Columns of the table, across and up; one of MOTION and one of CONSISTENCY when left out.

    Raises:
        ConfigError: Both are one.
        UnknownNameError: One is not in the table.
    """
    table = data.table
    chosen = metrics or trade_off_of(table)
    if chosen is None:
        return Omission(figure="pareto", reason=say("pareto_omitted"))
    try:
        front, _ = pareto_rows(table, chosen)
    except DataError:  # no ground truth to be close to
        return Omission(figure="pareto", reason=say("pareto_without_truth"))
    known = [column.metric for column in table.columns]
    places = [known.index(metric) for metric in chosen]
    systems, unbeaten = systems_of(table), {row.run_id for row in front}
    rows = [*best_rows(table, MOST_SYSTEMS), *(row for row in table.rows if row.reference)]
    points, shown = [], []
    for row in rows:
        across, up = (_span(row, place) for place in places)
        if across is not None and up is not None:
            is_unbeaten = row.run_id in unbeaten
            points.append(ParetoPoint(system=systems[row.run_id], across=across, up=up, is_unbeaten=is_unbeaten))
            shown.append(row)
    if sum(point.system.role == "system" for point in points) < 2:
        return Omission(figure="pareto", reason=say("pareto_omitted"))
    level = rows[0].cells[places[0]].level
    across_axis, up_axis = (axis_of(table.columns[place]) for place in places)
    note = [say("pareto_note", percent=round(100 * level))]
    if "reference" in (across_axis.direction, up_axis.direction):
        note.append(say("pareto_distance"))
    note += note_on_coverage(shown, places, say, [point.system.label for point in points])
    return Pareto(
        language=say.language,
        suite=table.suite_key,
        title=say("pareto_title", across=across_axis.label, up=up_axis.label),
        note=say("space").join([*note, *note_on_choice(table, say, MOST_SYSTEMS)]),
        level=level,
        across=across_axis,
        up=up_axis,
        points=tuple(points),
        marks={mark: say(f"pareto_{mark}") for mark in _STYLES if any(_mark(point) == mark for point in points)},
    )


def _span(row: Row, place: int) -> Span | None:
    cell = row.cells[place]
    return None if cell.value is None else Span(value=cell.value, low=cell.low, high=cell.high)


def draw(data: Pareto) -> "Figure":
    """Draw points with numbers, and beside them a key."""
    numbered = [point for point in data.points if point.system.role != "reference"]
    names = [drawable(point.system.label) for point in numbered]
    left = _PANEL + 0.15
    key = key_height(names, TEXT_WIDTH - left)
    height = max(_HEIGHT, key + _MARKS)
    canvas = Canvas(TEXT_WIDTH, height, data.note)
    wide, tall = _PANEL - _LEFT, height - _FOOT - 0.08
    axes = canvas.axes(_LEFT, 0.08, wide, tall)
    for point in data.points:
        _draw_point(axes, point, data)
    axes.set_xlabel(drawable(data.across.label), fontsize=7.5, color=INK, labelpad=2)
    axes.set_ylabel(drawable(data.up.label), fontsize=7.5, color=INK, labelpad=2)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(0.08)
    clean(axes)
    rounded_ticks(axes.xaxis, 5)
    rounded_ticks(axes.yaxis, 5)
    _draw_numbers(axes, data, (wide, tall))
    draw_key(canvas, names, 0.02, TEXT_WIDTH - left, left)
    _draw_marks(canvas, data, left, key)
    return canvas.figure


def _mark(point: ParetoPoint) -> Mark:
    if point.system.role != "system":
        return point.system.role
    return "unbeaten" if point.is_unbeaten else "beaten"


def _draw_point(axes: "Axes", point: ParetoPoint, data: Pareto) -> None:
    x, y = point.across.value * data.across.scale, point.up.value * data.up.scale
    is_truth = point.system.role == "reference"
    colour = TRUTH if is_truth else QUIET
    for ends, is_across in ((_ends(point.across, data.across), True), (_ends(point.up, data.up), False)):
        if ends is not None:
            xs, ys = (ends, [y, y]) if is_across else ([x, x], ends)
            axes.plot(xs, ys, color=colour, linewidth=0.8, zorder=2, alpha=0.8)
    if is_truth and data.across.direction == "reference":
        axes.axvline(x, color=TRUTH, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    if is_truth and data.up.direction == "reference":
        axes.axhline(y, color=TRUTH, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    axes.plot([x], [y], linestyle="", **_STYLES[_mark(point)], zorder=2.6 if is_truth else 3)


def _ends(span: Span, axis: Axis) -> list[float] | None:
    return None if span.low is None or span.high is None else [span.low * axis.scale, span.high * axis.scale]


def _draw_marks(canvas: Canvas, data: Pareto, left: float, top: float) -> None:
    from matplotlib.lines import Line2D

    present = {_mark(point) for point in data.points}
    shown = [mark for mark in _STYLES if mark in present]
    canvas.figure.legend(
        [Line2D([], [], linestyle="", **_STYLES[mark]) for mark in shown],
        [drawable(data.marks[mark]) for mark in shown],
        loc="upper left",
        bbox_to_anchor=(left / TEXT_WIDTH, 1 - (top + 0.05) / canvas.whole),
        frameon=False,
        fontsize=NOTE_SIZE + 0.5,
        borderpad=0,
        labelcolor=INK,
        handletextpad=0.2,
    )


def _draw_numbers(axes: "Axes", data: Pareto, frame: tuple[float, float]) -> None:
    """Write the number of each point where it covers least."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)

    def inches(across: float, up: float) -> tuple[float, float]:
        x, y = across * data.across.scale, up * data.up.scale
        return (x - x0) / (x1 - x0) * frame[0], (y - y0) / (y1 - y0) * frame[1]

    order = sorted(data.points, key=lambda point: point.system.role == "reference")
    texts = [str(place + 1) for place, point in enumerate(order) if point.system.role != "reference"]
    lines = []
    for point in order:
        across, up = point.across, point.up
        if across.low is not None and across.high is not None:
            lines.append((inches(across.low, up.value), inches(across.high, up.value)))
        if up.low is not None and up.high is not None:
            lines.append((inches(across.value, up.low), inches(across.value, up.high)))
    middles = [inches(point.across.value, point.up.value) for point in order]
    places = label_places(
        middles,
        [(width, NOTE_SIZE / 72) for width in text_widths(texts, NOTE_SIZE)],
        lines,
        frame,
    )
    for (x, y), text, (to_x, to_y) in zip(places, texts, middles, strict=False):
        share = max(0.0, 1 - _LEADER / max(_LEADER, math.dist((x, y), (to_x, to_y))))
        start = to_x + (x - to_x) * share, to_y + (y - to_y) * share
        axes.plot(
            [start[0] / frame[0], to_x / frame[0]],
            [start[1] / frame[1], to_y / frame[1]],
            transform=axes.transAxes,
            color=INK,
            linewidth=0.4,
            zorder=2.5,
        )
        axes.text(
            x / frame[0],
            y / frame[1],
            text,
            transform=axes.transAxes,
            fontsize=NOTE_SIZE,
            color=INK,
            ha="center",
            va="center_baseline",
            zorder=4,
        )
