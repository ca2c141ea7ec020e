"""Which systems of a table no other beats in all of some columns: a trade-off has no single best."""

from collections.abc import Sequence
from dataclasses import replace

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.statistics.pareto import Direction, pareto_set
from anisora.leaderboards.table import LeaderboardTable, Row
from anisora.leaderboards.words import Words

__all__ = ["pareto_rows", "with_pareto"]


def pareto_rows(table: LeaderboardTable, metrics: Sequence[str]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the systems that no other beats in all columns, and those that lack a value of one.

    Ground truth and baselines do not take part. In a column of direction ``reference`` the distance to the value of the
    ground truth counts. Values are compared as they are, not as certain: a system that is hardly beaten is out.

    Args:
        table: The systems.
        metrics: At least two of its columns.

    Raises:
        ConfigError: Fewer than two columns.
        DataError: A column has no better and worse: no run has it, or the ground truth is absent.
        UnknownNameError: A column is not in the table.
    """
    if len(set(metrics)) < 2:
        raise ConfigError(f"`--pareto` got {', '.join(metrics)!r}; expected at least two columns to trade off.")
    known = [column.metric for column in table.columns]
    truth = next((row for row in table.rows if row.reference), None)
    directions: dict[str, Direction] = {}
    values: dict[str, dict[str, float]] = {}
    for metric in metrics:
        if metric not in known:
            raise UnknownNameError("column", metric, known, f"The table has: {', '.join(known)}.")
        at = known.index(metric)
        direction = table.columns[at].direction
        middle = 0.0
        if direction == "reference":
            true = truth.cells[at].value if truth is not None else None
            if true is None:
                raise DataError(f"`{metric}` is best closest to the ground truth, and the table has none; run it.")
            middle, direction = true, "lower"
        if direction is None:
            raise DataError(f"No run of the table has `{metric}`; choose another column.")
        directions[metric] = direction
        is_distance = table.columns[at].direction == "reference"
        for row in table.rows:
            value = row.cells[at].value
            if value is not None and not (row.reference or row.baseline):
                values.setdefault(row.run_id, {})[metric] = abs(value - middle) if is_distance else value
    complete = {run_id: found for run_id, found in values.items() if len(found) == len(directions)}
    front = set(pareto_set(complete, directions))
    systems = [row for row in table.rows if not (row.reference or row.baseline)]
    return (
        tuple(row for row in systems if row.run_id in front),
        tuple(row for row in systems if row.run_id not in complete),
    )


def with_pareto(table: LeaderboardTable, metrics: Sequence[str], language: str = "en") -> LeaderboardTable:
    """Return the table with a footnote of ``pareto_rows``."""
    words = Words(language)
    front, lacking = pareto_rows(table, metrics)
    headers = {column.metric: column.header for column in table.columns}
    named = words("comma").join(headers[metric] for metric in dict.fromkeys(metrics))
    notes = [words("footnote_pareto", headers=named, models=_listed(front, words))]
    if lacking:
        notes.append(words("footnote_pareto_lacking", models=_listed(lacking, words)))
    return replace(table, footnotes=(*table.footnotes, *notes))


def _listed(rows: Sequence[Row], words: Words) -> str:
    return words("comma").join(row.model for row in rows) or words("none")
