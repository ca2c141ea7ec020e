"""Which suite a printed table shows, which of its columns and rows are whose, and in which unit it prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from anisora.leaderboards.claims.document import ReadCell, ReadTable, transposed
from anisora.leaderboards.claims.expected import ExpectedColumn, ExpectedRow, ExpectedTable
from anisora.leaderboards.claims.names import name_key
from anisora.leaderboards.claims.printed import PrintedNumber, read_number

__all__ = ["MatchedTable", "agrees", "match_table"]

_FACTORS: Final = (Decimal("0.01"), Decimal(100))
"""Percent where a suite prints shares, and shares where it prints percent."""
_SLACK: Final = Decimal("0.5") * (1 + Decimal("1e-9"))


@dataclass(frozen=True, kw_only=True)
class MatchedTable:
    """A printed table beside what is known of its suite."""

    table: ReadTable
    expected: ExpectedTable
    name_at: int
    """The column with the names of the systems."""
    columns: Mapping[int, ExpectedColumn]
    """{place: column} of the columns that are known."""
    rows: tuple[ExpectedRow | None, ...]
    """For each printed row the system it is of; None where that is not known."""
    numbers: tuple[tuple[PrintedNumber | None, ...], ...]
    """[row][place] what is printed, in printed units of the suite."""

    @property
    def agreement(self) -> tuple[int, int]:
        """Return (cells that agree, cells that are known)."""
        agreeing = known = 0
        for column, number, row in self._known():
            known += 1
            agreeing += number is not None and agrees(number, row.cell(column.metric).value)
        return agreeing, known

    def _known(self) -> list[tuple[ExpectedColumn, PrintedNumber | None, ExpectedRow]]:
        return [
            (column, numbers[at], row)
            for row, numbers in zip(self.rows, self.numbers, strict=True)
            if row is not None
            for at, column in self.columns.items()
        ]

    def name(self, row: int) -> str:
        """Return the name that is printed for a row."""
        return self.table.rows[row].cells[self.name_at].text

    def cell(self, row: int, at: int) -> ReadCell:
        """Return a printed cell."""
        return self.table.rows[row].cells[at]

    def value(self, row: int, at: int) -> Decimal | None:
        """Return the value of a cell: the known one, or the printed one of a system that is not known."""
        known, number = self.rows[row], self.numbers[row][at]
        if known is not None:
            return known.cell(self.columns[at].metric).value
        return None if number is None else number.value

    def is_rival(self, row: int) -> bool:
        """Return whether a row is of a system that can be best."""
        known = self.rows[row]
        return known is None or not known.apart

    def units(self, at: int) -> tuple[Decimal, Decimal]:
        """Return (the finer, the coarser) of the units in which the table and the suite print a column."""
        printed = [numbers[at] for numbers in self.numbers]
        unit = min((number.unit for number in printed if number is not None), default=self.columns[at].unit)
        return min(unit, self.columns[at].unit), max(unit, self.columns[at].unit)


def agrees(number: PrintedNumber, value: Decimal | None) -> bool:
    """Return whether a number is what a value rounds to at its last place; a value half-way may go either way."""
    return value is not None and abs(number.value - value) <= number.unit * _SLACK


def match_table(table: ReadTable, known: Sequence[ExpectedTable]) -> tuple[MatchedTable, ...]:
    """Find the suites that a table may show, those with most cells that agree; systems may be rows or columns.

    Args:
        table: As printed.
        known: What it may show.

    Returns:
        Equally good matches, in the order of ``known``; none where no column and no number of a system is known.
    """
    found = [
        match
        for turned in (table, transposed(table))
        for expected in known
        if (match := _matched(turned, expected)) is not None and match.agreement[1]
    ]
    best = max((match.agreement for match in found), default=None)
    return tuple(match for match in found if match.agreement == best)


def _matched(table: ReadTable, expected: ExpectedTable) -> MatchedTable | None:
    columns: dict[int, ExpectedColumn] = {}
    for at, names in enumerate(table.header):
        column = next((found for name in names if (found := expected.column_of.get(name_key(name)))), None)
        if column is not None:
            columns[at] = column
    if not columns:
        return None
    rows_by_place = {
        at: tuple(expected.row_of.get(name_key(row.cells[at].text)) for row in table.rows)
        for at in range(len(table.header))
        if at not in columns
    }
    name_at = max(rows_by_place, key=lambda at: sum(row is not None for row in rows_by_place[at]), default=None)
    if name_at is None or not any(row is not None and not row.reference for row in rows_by_place[name_at]):
        return None
    rows = rows_by_place[name_at]
    raw = [tuple(read_number(cell.text) for cell in row.cells) for row in table.rows]
    factors = {at: _factor(column, rows, [numbers[at] for numbers in raw]) for at, column in columns.items()}
    if not any(numbers[at] for row, numbers in zip(rows, raw, strict=True) if row is not None for at in columns):
        return None
    return MatchedTable(
        table=table,
        expected=expected,
        name_at=name_at,
        columns=columns,
        rows=rows,
        numbers=tuple(
            tuple(
                None
                if number is None
                else _from_natural(number, columns[at].scale)
                if table.natural and at in columns
                else _scaled(number, factors.get(at, Decimal(1)))
                for at, number in enumerate(numbers)
            )
            for numbers in raw
        ),
    )


def _factor(
    column: ExpectedColumn, rows: Sequence[ExpectedRow | None], numbers: Sequence[PrintedNumber | None]
) -> Decimal:
    """Return by what printed numbers are multiplied: 1, unless two or more agree only with another factor."""
    pairs = [
        (number, row.cell(column.metric).value)
        for number, row in zip(numbers, rows, strict=True)
        if number is not None and row is not None
    ]
    if any(agrees(number, value) for number, value in pairs):
        return Decimal(1)
    for factor in dict.fromkeys((column.scale, *_FACTORS)):
        if sum(agrees(_scaled(number, factor), value) for number, value in pairs) > 1:
            return factor
    return Decimal(1)


def _from_natural(number: PrintedNumber, scale: Decimal) -> PrintedNumber:
    """Return a number in printed units, multiplied as floats: so are the values that it is compared with."""
    return PrintedNumber(Decimal(float(number.value) * float(scale)), number.unit * scale)


def _scaled(number: PrintedNumber, factor: Decimal) -> PrintedNumber:
    if factor == 1:
        return number
    low, high = (None if end is None else end * factor for end in (number.low, number.high))
    return PrintedNumber(number.value * factor, number.unit * factor, low, high)
