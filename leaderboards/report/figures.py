"""Figures of a report by matplotlib: PNG for pages, SVG and PDF for papers. Equal tables give equal files."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.leaderboards.effects import Effect, EffectMatrix
from anisora.leaderboards.report.figure_style import GRID, INK, QUIET, TRUTH, drawable, figure_style, save_figure
from anisora.leaderboards.table import LeaderboardTable, TableColumn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["interval_figure", "matrix_figure", "save_figures"]

_COLOURS: Final = {"worse": "#f3b8a6", "better": "#a9d5c4", "alike": "#eceff3", "unknown": "#ffffff"}
_SIGNS: Final = {"worse": "−", "better": "+", "alike": "·", "unknown": ""}
_DOTS: Final = 160
_ACROSS: Final = 4


def interval_figure(table: LeaderboardTable) -> "Figure":
    """Draw one panel a column: every system's value with its interval, the ground truth as a line across."""
    from matplotlib.figure import Figure

    across = min(_ACROSS, len(table.columns))
    down = -(-len(table.columns) // across)
    generated = [row for row in table.rows if not row.reference]
    figure = Figure(figsize=(2.0 + 2.0 * across, down * (0.55 + 0.19 * len(generated))), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for place, panel in enumerate(panels.flat):
        if place < len(table.columns):
            _draw_intervals(panel, table, place)
        else:
            panel.set_visible(False)
    first = panels[0, 0]
    first.set_yticks(range(len(generated)), [drawable(table.name(row)) for row in generated])
    first.set_ylim(len(generated) - 0.5, -0.5)
    return figure


def _draw_intervals(panel: "Axes", table: LeaderboardTable, place: int) -> None:
    column = table.columns[place]
    generated = [row for row in table.rows if not row.reference]
    for row in table.rows:
        cell = row.cells[place]
        if cell.value is None:
            continue
        value = cell.value * column.scale
        if row.reference:
            panel.axvline(value, color=TRUTH, linewidth=0.9, linestyle=(0, (4, 2)))
            continue
        height = generated.index(row)
        if cell.low is not None and cell.high is not None:
            ends = [cell.low * column.scale, cell.high * column.scale]
            panel.plot(ends, [height, height], color=QUIET, linewidth=1.4, solid_capstyle="round")
        panel.plot([value], [height], marker="o", markersize=3.2, color=TRUTH if cell.above_reference else INK)
    panel.set_title(f"{_head(column)} {column.arrow}".rstrip(), fontsize=8, color=INK)
    panel.tick_params(length=2, width=0.5, colors=INK, labelsize=7)
    panel.grid(axis="x", color=GRID, linewidth=0.5)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def matrix_figure(matrix: EffectMatrix) -> "Figure":
    """Draw systems by columns: worse, better or no different than the ground truth; frames where it was expected."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows, columns = len(matrix.rows), len(matrix.columns)
    figure = Figure(figsize=(2.2 + 0.62 * columns, 0.9 + 0.26 * rows), layout="constrained")
    panel = figure.subplots()
    for down, row in enumerate(matrix.rows):
        for right, effect in enumerate(row.effects):
            corner = (right - 0.48, down - 0.46)
            panel.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=_COLOURS[effect.verdict], linewidth=0))
            if effect.expected:
                panel.add_patch(Rectangle(corner, 0.96, 0.92, fill=False, edgecolor=INK, linewidth=1.1))
            panel.text(right, down, _sign(effect), ha="center", va="center", color=INK)
    panel.set_xticks(range(columns), [_head(column) for column in matrix.columns], rotation=35, ha="right")
    panel.set_yticks(range(rows), [drawable(f"{row.model}{row.warnings}") for row in matrix.rows])
    panel.set_xlim(-0.5, columns - 0.5)
    panel.set_ylim(rows - 0.5, -0.5)
    panel.tick_params(length=0, colors=INK)
    panel.spines[:].set_visible(False)
    return figure


def _sign(effect: Effect) -> str:
    return _SIGNS[effect.verdict]


def _head(column: TableColumn) -> str:
    """The head of a column; the name of its metric where the font lacks a character, as it does for Chinese."""
    return column.header if drawable(column.header) == column.header else drawable(column.metric)


def save_figures(folder: Path, table: LeaderboardTable, matrix: EffectMatrix | None) -> list[Path]:
    """Write ``intervals`` and, with ground truth, ``matrix`` in every format; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    with figure_style():
        drawn = {"intervals": interval_figure(table)} | ({"matrix": matrix_figure(matrix)} if matrix else {})
        return [path for name, figure in drawn.items() for path in save_figure(figure, folder, name, dots=_DOTS)]
