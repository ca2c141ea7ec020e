"""The small print of a table: what its marks mean, and what it does not show."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from anisora.leaderboards.comparability import FieldDifference, dagger, reference_differences, shortened
from anisora.leaderboards.selection import Selection
from anisora.leaderboards.words import Words

if TYPE_CHECKING:
    from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn

__all__ = ["STAR", "TIED", "footnotes_of", "interval_methods", "tie_footnote"]

TIED = "≈"
"""Marks a value that is not distinguishable from the best of its column."""

STAR = "★"
"""Marks a generated value that is better than the ground truth's."""


def footnotes_of(
    table: "LeaderboardTable", differences: Sequence[FieldDifference], selection: Selection, words: Words
) -> tuple[str, ...]:
    """Return the footnotes of a table, in the order in which they are read."""
    return (
        *_intervals(table, words),
        *_coverage(table, words),
        *_marks(table, words),
        *(_dagger(index, difference, words) for index, difference in enumerate(differences)),
        *_apart(table, selection, words),
        *_left_out(selection, words),
    )


def tie_footnote(table: "LeaderboardTable", words: Words) -> tuple[str, ...]:
    """Return the footnote of the tie groups, if there are any."""
    if not any(cell.rank_low is not None for _, _, cell in _cells(table)):
        return ()
    return (words("footnote_tied", mark=TIED),)


def _cells(table: "LeaderboardTable") -> "Iterable[tuple[Row, TableColumn, Cell]]":
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            yield row, column, cell


def interval_methods(table: "LeaderboardTable") -> list[tuple[float, str]]:
    """Return (level, method) of the intervals there are."""
    return sorted({(cell.level, cell.interval) for _, _, cell in _cells(table) if cell.low is not None})


def _intervals(table: "LeaderboardTable", words: Words) -> list[str]:
    made = interval_methods(table)
    notes = [words("footnote_interval", level=100 * level, method=method) for level, method in made]
    missing: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for row, column, cell in _cells(table):
        if cell.value is not None and cell.low is None:
            headers, models = missing.setdefault(cell.note or words("no_interval_reason"), ({}, {}))
            headers[column.header] = models[row.model] = None
    for note, (headers, models) in missing.items():
        alone = len(missing) == 1 and not made
        where = "" if alone else words("footnote_where", headers=_listed(words, headers), models=_listed(words, models))
        notes.append(words("footnote_no_interval", where=where, note=note))
    return notes


def _listed(words: Words, names: Iterable[str]) -> str:
    return words("comma").join(names)


def _coverage(table: "LeaderboardTable", words: Words) -> list[str]:
    """Say what was not scored, cells of a row that lack the same in one line."""
    lacking: dict[tuple[str, str, int], list[str]] = {}
    for row, column, cell in _cells(table):
        counts = (("count_unscored", cell.unscored), ("count_failed", cell.errors))
        parts = [words(key, count=count) for key, count in counts if count]
        absent = cell.items - cell.scored - cell.unscored - cell.errors
        if absent > 0 and (cell.scored or parts):
            parts.append(words("count_without_clip", count=absent))
        if parts:
            lacking.setdefault((row.run_id, _listed(words, parts), cell.items), []).append(column.header)
    models = {row.run_id: (row.model, sum(cell.scored > 0 for cell in row.cells)) for row in table.rows}
    notes = []
    for (run_id, told, items), headers in lacking.items():
        model, scored = models[run_id]
        key = "footnote_coverage_all" if 1 < len(headers) == scored else "footnote_coverage"
        notes.append(words(key, header=_listed(words, headers), model=model, parts=told, items=items))
    return notes


def _marks(table: "LeaderboardTable", words: Words) -> list[str]:
    notes = []
    if any(cell.above_reference for _, _, cell in _cells(table)):
        notes.append(words("footnote_star", star=STAR))
    if any(column.direction == "reference" for column in table.columns):
        known = any(row.reference for row in table.rows)
        notes.append(words("footnote_reference" if known else "footnote_reference_absent"))
    if any(row.subset for row in table.rows):
        notes.append(words("footnote_subset"))
    if any(row.untrained is not None for row in table.rows):
        notes.append(words("footnote_untrained"))
    return notes


def _dagger(index: int, difference: FieldDifference, words: Words) -> str:
    told = []
    for value, records in difference.groups[1:]:
        other, _ = shortened(value, difference.usual)
        models = _listed(words, (record.spec.model for record in records))
        told.append(words("footnote_dagger_value", value=other, models=models))
    _, usual = shortened(difference.groups[1][0], difference.usual)
    return words(
        "footnote_dagger",
        mark=dagger(index),
        field=difference.field,
        told=words("separator").join(told),
        usual=usual,
    )


def _apart(table: "LeaderboardTable", selection: Selection, words: Words) -> list[str]:
    notes = []
    apart = {row.run_id for row in table.rows if row.baseline}
    if apart:
        notes.append(words("footnote_baselines"))
    systems = [record for record in selection.shown if record.run_id not in apart]
    differing: dict[str, None] = {}
    for record in selection.shown:
        if record.reference or record.run_id in apart:
            key = "footnote_ground_truth" if record.reference else "footnote_baseline_field"
            for field, mine, theirs in reference_differences(record, systems):
                left, right = shortened(mine, theirs)
                differing[words(key, field=field, mine=left, theirs=right)] = None
    return [*notes, *differing]


def _left_out(selection: Selection, words: Words) -> list[str]:
    notes = [
        words("footnote_superseded_one" if count == 1 else "footnote_superseded", count=count, model=model)
        for model, count in selection.superseded
    ]
    for count, reason in (
        (selection.untrained, "hidden_untrained"),
        (selection.failed, "hidden_failed"),
        (selection.partial, "hidden_partial"),
    ):
        if count:
            key = "footnote_hidden_one" if count == 1 else "footnote_hidden"
            notes.append(words(key, count=count, word=words(reason)))
    return notes
