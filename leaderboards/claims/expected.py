"""What a printed table is compared with: values of a leaderboard or of published tables, in printed units."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Protocol, TypeVar

from anisora.harness.protocols import Direction
from anisora.leaderboards.claims.names import name_key

__all__ = ["ExpectedCell", "ExpectedColumn", "ExpectedRow", "ExpectedTable", "rounded"]


class _Named(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def other_names(self) -> tuple[str, ...]: ...


_Thing = TypeVar("_Thing", bound=_Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedColumn:
    """A column that a table may have."""

    metric: str
    header: str
    names: tuple[str, ...]
    """Its headings."""
    other_names: tuple[str, ...] = ()
    """Headings that it has elsewhere; they count where no column has them as its own."""
    direction: Direction | None
    """None where nobody said which way is better."""
    unit: Decimal
    """One unit of the last place with which it is printed, such as 0.01."""
    scale: Decimal = Decimal(1)
    """Printed is the natural value times this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCell:
    """A value in printed units; None where there is none."""

    value: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    """The ends of its interval."""
    leads: bool | None = None
    """Whether it is the best of its column, or paired tests cannot tell it from that; None where nobody tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRow:
    """A system."""

    model: str
    names: tuple[str, ...]
    other_names: tuple[str, ...] = ()
    """Names that it has elsewhere; they count where no system has them as its own."""
    cells: Mapping[str, ExpectedCell]
    """{metric: cell}; a metric that is not there has no value."""
    apart: bool = False
    """Ground truth or a degenerate baseline: never best."""
    reference: bool = False
    """Ground truth."""

    def cell(self, metric: str) -> ExpectedCell:
        """Return the cell of a metric."""
        return self.cells.get(metric, ExpectedCell())


@dataclass(frozen=True)
class ExpectedTable:
    """All that one source knows of a suite."""

    suite: str
    origin: str
    """The source, as a message names it."""
    columns: tuple[ExpectedColumn, ...]
    rows: tuple[ExpectedRow, ...]

    @cached_property
    def column_of(self) -> Mapping[str, ExpectedColumn]:
        """{key of a heading: column}, without headings that two columns share."""
        return _index(self.columns)

    @cached_property
    def row_of(self) -> Mapping[str, ExpectedRow]:
        """{key of a name: row}, without names that two systems share."""
        return _index(self.rows)

    @cached_property
    def truth(self) -> ExpectedRow | None:
        """The ground truth, where it is known."""
        return next((row for row in self.rows if row.reference), None)

    def merit(self, column: ExpectedColumn, value: Decimal | None, unit: Decimal) -> Decimal | None:
        """Return a value turned so that greater is better, and rounded; None where there is no better.

        Args:
            column: Whose value it is.
            value: In printed units.
            unit: To whose multiples it is rounded.
        """
        if value is None or column.direction is None:
            return None
        if column.direction == "reference":
            truth = None if self.truth is None else self.truth.cell(column.metric).value
            return None if truth is None else -rounded(abs(value - truth), unit)
        return rounded(value, unit) * (1 if column.direction == "higher" else -1)

    def merged(self, other: "ExpectedTable") -> "ExpectedTable":
        """Return the table with those columns and rows of another that it lacks."""
        metrics, models = {column.metric for column in self.columns}, {row.model for row in self.rows}
        columns = [column for column in other.columns if column.metric not in metrics]
        rows = [row for row in other.rows if row.model not in models and not (row.reference and self.truth is not None)]
        return replace(
            self,
            origin=f"{self.origin} and {other.origin}",
            columns=(*self.columns, *columns),
            rows=(*self.rows, *rows),
        )


def _index(things: Sequence[_Thing]) -> dict[str, _Thing]:
    own = _unshared([(thing, {name_key(name) for name in thing.names}) for thing in things])
    other = _unshared([(thing, {name_key(name) for name in thing.other_names}) for thing in things])
    shared = {name_key(name) for thing in things for name in thing.names}
    return {**{key: thing for key, thing in other.items() if key not in shared}, **own}


def _unshared(keyed: Sequence[tuple[_Thing, set[str]]]) -> dict[str, _Thing]:
    counts = Counter(key for _, keys in keyed for key in keys)
    return {key: thing for thing, keys in keyed for key in keys if key and counts[key] == 1}


def rounded(value: Decimal, unit: Decimal) -> Decimal:
    """Return the nearest multiple of a unit, ties to even."""
    return (value / unit).to_integral_value(ROUND_HALF_EVEN) * unit
