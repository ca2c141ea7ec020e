"""What stands in the cells of a printed leaderboard, whatever the format: names, numbers, intervals, coverage."""

from typing import Final, Literal, get_args

from anisora.leaderboards.footnotes import STAR, TIED, interval_methods
from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn
from anisora.leaderboards.words import Words

__all__ = [
    "INTERVALS",
    "MISSING",
    "Intervals",
    "coverage_cells",
    "footnotes_with",
    "interval_text",
    "marked_number",
    "marks_of",
    "own_coverage",
    "table_heads",
]

Intervals = Literal["brackets", "half-width", "none"]
"""How intervals are printed: ``[low, high]``, ``±half``, or not at all."""
INTERVALS: Final[tuple[str, ...]] = get_args(Intervals)

MISSING: Final = "-"
"""What stands where there is no number."""


def table_heads(table: LeaderboardTable, words: Words) -> list[str]:
    """Return the heads of a table: the name, a column a metric with its arrow, items, clusters."""
    heads = (f"{column.header} {column.arrow}".rstrip() for column in table.columns)
    return [words("head_model"), *heads, words("items"), words("clusters")]


def marks_of(cell: Cell) -> str:
    """Return the marks behind a number: tied with the best, above the ground truth."""
    return TIED * cell.tied + STAR * cell.above_reference


def marked_number(column: TableColumn, cell: Cell) -> str:
    """Write a number as printed, with its marks."""
    return MISSING if cell.value is None else column.format(cell.value) + marks_of(cell)


def interval_text(column: TableColumn, cell: Cell, intervals: Intervals = "half-width") -> str:
    """Write an interval; empty where there is none.

    As a half width it is ``±half``, or the way to either end where these are not as far away.

    Example:
        >>> column = TableColumn(metric="ssim", header="SSIM", direction="higher", decimals=2)
        >>> cell = Cell(metric="ssim", value=0.5, low=0.4, high=0.6)
        >>> interval_text(column, cell), interval_text(column, cell, "brackets")
        ('±0.10', '[0.40, 0.60]')
    """
    if intervals == "none" or cell.value is None or cell.low is None or cell.high is None:
        return ""
    if intervals == "brackets":
        return f"[{column.format(cell.low)}, {column.format(cell.high)}]"
    above, below = column.format(cell.high - cell.value), column.format(cell.value - cell.low)
    return f"±{above}" if above == below else f"-{below} +{above}"


def own_coverage(row: Row, cell: Cell) -> str:
    """Write the coverage of a cell where it is not that of its row."""
    if cell.value is None or cell.coverage == row.coverage:
        return ""
    return f"({cell.scored}/{cell.items} in {cell.clusters})"


def coverage_cells(row: Row) -> list[str]:
    """Return scored of planned items, and clusters, of most cells of a row."""
    scored, items, clusters = row.coverage
    return [f"{scored}/{items}", str(clusters)]


def footnotes_with(table: LeaderboardTable, intervals: Intervals, words: Words) -> list[str]:
    """Return the footnotes of a table, with what they say of brackets said of the intervals as they are printed.

    Args:
        table: Whose footnotes are in the language of ``words``.
        intervals: How they are printed.
        words: The language.
    """
    if intervals == "brackets":
        return list(table.footnotes)
    methods = [{"level": 100 * level, "method": method} for level, method in interval_methods(table)]
    bracketed = [words("footnote_interval", **method) for method in methods]
    told = [words("footnote_half_width", **method) for method in methods] if intervals == "half-width" else []
    return [*told, *(note for note in table.footnotes if note not in bracketed)]
