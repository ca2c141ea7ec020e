"""The small print of a table: what its marks mean, and what it does not show."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from anisora.leaderboards.comparability import FieldDifference, dagger, reference_differences, shortened
from anisora.leaderboards.selection import Selection

if TYPE_CHECKING:
    from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn

__all__ = ["STAR", "footnotes_of"]

STAR = "★"
"""Marks a generated value that is better than the ground truth's."""


def footnotes_of(
    table: "LeaderboardTable", differences: Sequence[FieldDifference], selection: Selection
) -> tuple[str, ...]:
    """Return the footnotes of a table, in the order in which they are read."""
    return (
        *_intervals(table),
        *_coverage(table),
        *_marks(table),
        *(_dagger(index, difference) for index, difference in enumerate(differences)),
        *_ground_truth(selection),
        *_left_out(selection),
    )


def _cells(table: "LeaderboardTable") -> "Iterable[tuple[Row, TableColumn, Cell]]":
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            yield row, column, cell


def _intervals(table: "LeaderboardTable") -> list[str]:
    made = sorted({(cell.level, cell.interval) for _, _, cell in _cells(table) if cell.low is not None})
    notes = [f"In brackets: {100 * level:g} % interval ({method})." for level, method in made]
    missing: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for row, column, cell in _cells(table):
        if cell.value is not None and cell.low is None:
            headers, models = missing.setdefault(cell.note or "the run tells none", ({}, {}))
            headers[column.header] = models[row.model] = None
    for note, (headers, models) in missing.items():
        where = "" if len(missing) == 1 and not made else f" for {', '.join(headers)} of {', '.join(models)}"
        notes.append(f"No interval{where}: {note}.")
    return notes


def _coverage(table: "LeaderboardTable") -> list[str]:
    notes = []
    for row, column, cell in _cells(table):
        parts = [f"{count} {word}" for count, word in ((cell.unscored, "unscored"), (cell.errors, "failed")) if count]
        absent = cell.items - cell.scored - cell.unscored - cell.errors
        if absent > 0 and (cell.scored or parts):
            parts.append(f"{absent} without a clip")
        if parts:
            notes.append(f"{column.header} of {row.model}: {', '.join(parts)}, of {cell.items} items.")
    return notes


def _marks(table: "LeaderboardTable") -> list[str]:
    notes = []
    if any(cell.above_reference for _, _, cell in _cells(table)):
        notes.append(f"{STAR} better than the ground truth: look at the clips before trusting it.")
    if any(column.direction == "reference" for column in table.columns):
        known = any(row.reference for row in table.rows)
        notes.append("→ closest to the ground truth is best" + ("." if known else ", of which there is no run."))
    if any(row.untrained is not None for row in table.rows):
        notes.append("UNTRAINED: random weights; the numbers mean nothing.")
    return notes


def _dagger(index: int, difference: FieldDifference) -> str:
    told = []
    for value, records in difference.groups[1:]:
        other, _ = shortened(value, difference.usual)
        told.append(f"{other} for {', '.join(record.spec.model for record in records)}")
    _, usual = shortened(difference.groups[1][0], difference.usual)
    return f"{dagger(index)} `{difference.field}` differs: {'; '.join(told)}; {usual} for the others."


def _ground_truth(selection: Selection) -> list[str]:
    notes = []
    for record in selection.shown:
        if record.reference:
            for field, mine, theirs in reference_differences(record, selection.shown):
                left, right = shortened(mine, theirs)
                notes.append(f"Ground truth has `{field}` {left}, the others {right}.")
    return notes


def _left_out(selection: Selection) -> list[str]:
    notes = [
        f"{count} other run{'' if count == 1 else 's'} of {model} under the same protocol not shown."
        for model, count in selection.superseded
    ]
    for count, word in (
        (selection.untrained, "with random weights"),
        (selection.failed, "that failed"),
        (selection.partial, "over a part of the items"),
    ):
        if count:
            notes.append(f"{count} run{'' if count == 1 else 's'} {word} not shown.")
    return notes
