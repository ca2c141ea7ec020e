"""Systems over columns as a radar."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import model_validator

from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import GRID, INK, QUIET, TEXT_WIDTH, drawable, fitting_size, text_widths
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
from anisora.leaderboards.table import LeaderboardTable, Row, TableColumn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST", "Radar", "RadarLine", "Spoke", "data_of", "draw"]

MOST: Final = 6
"""Systems; more lines hide one another."""
_FEWEST_SPOKES, _MOST_SPOKES = 3, 12
_INNER: Final = 0.2
"""Radius of the worst, the best being at 1."""
_CENTRED: Final = 0.2
"""Spokes that lean less have the middle of their name at the end."""
_STEEP: Final = 0.9
"""Spokes that rise more have their name above or below the end, others beside it."""
_HEIGHT, _WIDTH, _RADIUS, _SMALLEST_RADIUS = 3.3, 4.3, 1.3, 1.05  # inches
_NAME_SIZE: Final = 6.5  # points
_EDGE: Final = 0.05  # inches that are left free
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
    found = _spokes(table, rows, truth)
    shown = found[:_MOST_SPOKES]
    if len(shown) < _FEWEST_SPOKES or len(rows) < 2:
        return Omission(figure="radar", reason=say("radar_omitted", spokes=len(shown), lines=len(rows)))
    lines = tuple(
        RadarLine(
            system=systems[row.run_id],
            values=tuple(values[line] for _, _, values in shown),
            places=tuple(_place(spoke, values[line]) for _, spoke, values in shown),
        )
        for line, row in enumerate(rows)
    )
    spokes = tuple(spoke for _, spoke, _ in shown)
    able = {place for place, _, _ in found}
    absent = [column.header for place, column in enumerate(table.columns) if place not in able]
    notes = _notes(say, spokes, absent, len(chosen), table.rows)
    if len(found) > len(shown):
        notes.append(say("first_shown", shown=len(shown), columns=len(found)))
    labels = [line.system.label for line in lines]
    return Radar(
        language=say.language,
        suite=table.suite_key,
        title=say("radar_title"),
        note=say("space").join([*notes, *note_on_coverage(rows, [place for place, _, _ in shown], say, labels)]),
        spokes=spokes,
        lines=lines,
    )


def _spokes(table: LeaderboardTable, rows: Sequence[Row], truth: Row | None) -> list[tuple[int, Spoke, list[float]]]:
    """Return (place of the column, spoke, what is on it of each row) of the columns that all rows have."""
    found = []
    for place, column in enumerate(table.columns):
        values = _values(column, [row.cells[place].value for row in rows], truth.cells[place].value if truth else None)
        if values is not None:
            ends = min(values), max(values)
            worst, best = ends if column.direction == "higher" else ends[::-1]
            is_distance = column.direction == "reference"
            found.append((place, Spoke(axis=axis_of(column), worst=worst, best=best, is_distance=is_distance), values))
    return found


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


def _notes(
    say: FigureWords, spokes: Sequence[Spoke], absent: list[str], chosen: int, rows: tuple[Row, ...]
) -> list[str]:
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
    angles = [math.pi / 2 - 2 * math.pi * at / len(data.spokes) for at in range(len(data.spokes))]
    radius, size = _room(data, angles)
    panel.set_xlim(-_WIDTH / 2 / radius, _WIDTH / 2 / radius)
    panel.set_ylim(-_HEIGHT / 2 / radius, _HEIGHT / 2 / radius)
    panel.set_axis_off()
    _draw_grid(panel, data, angles, size)
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


def _name(spoke: Spoke) -> str:
    ends = f"{spoke.axis.printed(spoke.worst)} … {spoke.axis.printed(spoke.best)}"
    return f"{drawable(spoke.axis.label)}\n{'Δ ' if spoke.is_distance else ''}{ends}"


def _out(angle: float) -> float:
    """Return how far out a name stands, the outer ring being at 1."""
    return 1.07 if abs(math.sin(angle)) > _STEEP else 1.11


def _room(data: Radar, angles: list[float]) -> tuple[float, float]:
    """Return the radius in inches, and the points of the names, at which all names are inside the panel."""
    sideways = [(angle, _name(spoke)) for spoke, angle in zip(data.spokes, angles, strict=True)]
    sideways = [(angle, name) for angle, name in sideways if abs(math.cos(angle)) > _CENTRED]
    widths = text_widths([name for _, name in sideways], _NAME_SIZE)
    reach = [_out(angle) * abs(math.cos(angle)) for angle, _ in sideways]
    wanted = [(_WIDTH / 2 - _EDGE - wide) / out for wide, out in zip(widths, reach, strict=True)]
    radius = max(_SMALLEST_RADIUS, min(_RADIUS, *wanted))
    shares = [(_WIDTH / 2 - _EDGE - radius * out) / wide for wide, out in zip(widths, reach, strict=True)]
    return radius, _NAME_SIZE * min(1.0, *shares)


def _draw_grid(panel: "Axes", data: Radar, angles: list[float], size: float) -> None:
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
        panel.text(
            _out(angle) * across,
            _out(angle) * up,
            _name(spoke),
            fontsize=size,
            linespacing=1.15,
            color=INK,
            ha="center" if abs(across) < _CENTRED else "left" if across > 0 else "right",
            va="center" if abs(up) < _STEEP else "bottom" if up > 0 else "top",
        )
