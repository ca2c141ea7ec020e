"""Rows of runs as values of items, ready to be compared item by item."""

from collections.abc import Sequence

from anisora.harness.errors import RecordError
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import ScoreRow
from anisora.harness.stages.aggregate import item_values

__all__ = ["Side", "rows_by_metric", "shared_clusters", "values_of"]

Side = tuple[RunRecord, Sequence[ScoreRow]]
"""A run and its rows."""


def rows_by_metric(rows: Sequence[ScoreRow]) -> dict[str, list[ScoreRow]]:
    """Sort rows into {metric: its rows}."""
    found: dict[str, list[ScoreRow]] = {}
    for row in rows:
        found.setdefault(row.metric, []).append(row)
    return found


def values_of(rows: Sequence[ScoreRow]) -> dict[str, float]:
    """Return {item: mean over its scored seeds} of one metric's rows; items without a score are absent."""
    return {item: value for item, (value, _) in item_values(rows).items()}


def shared_clusters(left: Sequence[ScoreRow], right: Sequence[ScoreRow]) -> dict[str, str]:
    """Return {item: cluster} of the items of two runs.

    Raises:
        RecordError: The runs disagree on an item's cluster.
    """
    found: dict[str, str] = {}
    for row in (*left, *right):
        if found.setdefault(row.item_id, row.cluster) != row.cluster:
            raise RecordError(
                f"Item {row.item_id!r} is in the cluster {found[row.item_id]!r} in one run and in "
                f"{row.cluster!r} in the other; score both against the same suite."
            )
    return found
