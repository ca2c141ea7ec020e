"""Which systems cannot be told from the best of a column, and between which ranks each lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.ranking import Ranking, rank_columns
from anisora.leaderboards.footnotes import tie_footnote
from anisora.leaderboards.pairing import rows_by_metric, shared_clusters, values_of
from anisora.leaderboards.table import LeaderboardTable, Row, TableColumn
from anisora.leaderboards.words import Words

__all__ = ["Rivals", "ranked", "rankings_of", "rivals_of", "with_ties"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """The systems of a table item by item, in the columns in which they can be ranked."""

    columns: Mapping[str, Mapping[str, Mapping[str, float]]]
    """{metric: {run id: {item: value}}}; distances to the ground truth where the direction is ``reference``."""
    clusters: Mapping[str, str]
    """{item: cluster}"""
    lower_is_better: frozenset[str]
    """Metrics."""


def rivals_of(table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]]) -> Rivals:
    """Return the systems of a table as they are ranked, without ground truth and baselines.

    Columns that have no direction, fewer than two systems, or no item that all their systems have are absent.

    Args:
        table: The systems and the columns.
        scores: {run id: its rows}, of the ground truth as well.
    """
    systems = [row for row in table.rows if not (row.reference or row.baseline)]
    truth = next((row.run_id for row in table.rows if row.reference), None)
    by_run = {row.run_id: rows_by_metric(scores[row.run_id]) for row in table.rows}
    every = [scores[row.run_id] for row in table.rows]
    clusters: dict[str, str] = {}
    for rows in every:
        clusters |= shared_clusters(rows, every[0])
    columns = {}
    for column in table.columns:
        true = values_of(by_run[truth].get(column.metric, [])) if truth else {}
        values = {row.run_id: _values(column, by_run[row.run_id].get(column.metric, []), true) for row in systems}
        scored = {run_id: found for run_id, found in values.items() if found}
        if len(scored) > 1 and reduce(set.intersection, map(set, scored.values())):
            columns[column.metric] = scored
    lower = (column.metric for column in table.columns if column.metric in columns and column.direction != "higher")
    return Rivals(columns=columns, clusters=clusters, lower_is_better=frozenset(lower))


def rankings_of(table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]]) -> dict[str, Ranking]:
    """Rank the systems of a table in each column, all pairs of all columns being one family (max-T).

    Ground truth and baselines have no rank. In a column of direction ``reference`` distances to the ground truth are
    ranked, item by item.

    Args:
        table: The systems and the columns.
        scores: {run id: its rows}, of the ground truth as well.

    Returns:
        {metric: ranking of run ids}, without columns that have no direction, fewer than two systems, or no item that
        all their systems have.
    """
    rivals = rivals_of(table, scores)
    if not rivals.columns:
        return {}
    ranked = rank_columns(rivals.columns, rivals.clusters, lower_is_better=rivals.lower_is_better)
    return {ranking.column: ranking for ranking in ranked}


def with_ties(table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]]) -> LeaderboardTable:
    """Return the table with the tie group of each column's best, and rank intervals, in its cells."""
    found = {
        (metric, system.name): system
        for metric, ranking in rankings_of(table, scores).items()
        for system in ranking.systems
    }

    def marked(row: Row) -> Row:
        cells = []
        for cell in row.cells:
            system = found.get((cell.metric, row.run_id))
            if system is None:
                cells.append(cell)
            else:
                tied = system.is_tied_with_best and not cell.best
                cells.append(replace(cell, tied=tied, rank_low=system.rank_low, rank_high=system.rank_high))
        return replace(row, cells=tuple(cells))

    return replace(table, rows=tuple(marked(row) for row in table.rows))


def ranked(table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]], words: Words) -> LeaderboardTable:
    """Return the table with its ties, and the footnote that says what their mark means."""
    tied = with_ties(table, scores)
    return replace(tied, footnotes=(*tied.footnotes, *tie_footnote(tied, words)))


def _values(column: TableColumn, rows: Sequence[ScoreRow], true: Mapping[str, float]) -> dict[str, float]:
    values = values_of(rows)
    if column.direction is None:
        return {}
    if column.direction == "reference":
        return {item: abs(value - true[item]) for item, value in values.items() if item in true}
    return values
