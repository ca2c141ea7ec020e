"""A leaderboard as LaTeX: the table alone, its notes, or both as a float."""

from collections.abc import Iterator

from anisora.leaderboards.cell_text import (
    Intervals,
    coverage_cells,
    footnotes_with,
    interval_text,
    marks_of,
    own_coverage,
    table_heads,
)
from anisora.leaderboards.latex_table import (
    MISSING_CELL,
    TexCell,
    TexRow,
    latex_float,
    latex_tabular,
    number_cell,
)
from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn
from anisora.leaderboards.words import Words

__all__ = ["leaderboard_float", "leaderboard_notes", "leaderboard_tabular"]


def leaderboard_tabular(table: LeaderboardTable, words: Words, intervals: Intervals = "brackets") -> list[str]:
    """Return the lines of the table alone.

    Args:
        table: The leaderboard.
        words: The language of heads.
        intervals: How they are printed, on a line below each number.
    """
    groups = [[_row(table, row, intervals) for row in group] for group in table.groups]
    return latex_tabular(table_heads(table, words), groups)


def leaderboard_notes(table: LeaderboardTable, words: Words, intervals: Intervals = "brackets") -> list[str]:
    """Return what must be said below the table, as plain sentences."""
    cells = [cell for row in table.rows for cell in row.cells]
    places = [
        ("footnote_best", any(cell.best for cell in cells)),
        ("footnote_second", any(cell.second for cell in cells)),
    ]
    return [
        *(words(key) for key, there in places if there),
        *_own_coverages(table, words),
        *footnotes_with(table, intervals, words),
    ]


def leaderboard_float(table: LeaderboardTable, words: Words, intervals: Intervals = "brackets") -> list[str]:
    """Return the lines of a float with the table, its title and its notes."""
    tabular, notes = (make(table, words, intervals) for make in (leaderboard_tabular, leaderboard_notes))
    return latex_float(table.title, tabular, notes)


def _row(table: LeaderboardTable, row: Row, intervals: Intervals) -> TexRow:
    cells = [_cell(column, cell, intervals) for column, cell in zip(table.columns, row.cells, strict=True)]
    return TexRow(table.name(row), (*cells, *(TexCell(text, len(text)) for text in coverage_cells(row))))


def _cell(column: TableColumn, cell: Cell, intervals: Intervals) -> TexCell:
    if cell.value is None:
        return MISSING_CELL
    return number_cell(
        column.format(cell.value),
        marks=marks_of(cell),
        best=cell.best,
        second=cell.second,
        beneath=interval_text(column, cell, intervals),
    )


def _own_coverages(table: LeaderboardTable, words: Words) -> Iterator[str]:
    """Tell the cells whose items are not those of their row, cells of a column that are alike together."""
    alike: dict[tuple[str, tuple[int, int, int]], list[str]] = {}
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            if own_coverage(row, cell):
                alike.setdefault((column.header, cell.coverage), []).append(row.model)
    for (header, (scored, items, clusters)), models in alike.items():
        told = {"header": header, "scored": scored, "items": items, "clusters": clusters}
        yield words("footnote_own_coverage", models=words("comma").join(models), **told)
