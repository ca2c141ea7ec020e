"""The published rows of a system that was scored here: beside its numbers, never in one table with them."""

from anisora.harness.record import RunRecord
from anisora.leaderboards.published.tables import PublishedRow, PublishedTable, published_tables

__all__ = ["published_name", "published_rows", "published_rows_of"]


def published_name(record: RunRecord) -> str:
    """Return the name that a run's model has in published tables: what its system says, else its own name."""
    return str(record.made_by.get("published") or record.spec.model)


def published_rows(name: str) -> tuple[tuple[PublishedTable, PublishedRow], ...]:
    """Return the rows of a model in all published tables, ground truth apart; none where nobody reports it.

    Args:
        name: As ``published_name`` returns it.

    Example:
        >>> [table.suite for table, _ in published_rows("vidu-1.5")]
        ['anisora-7', 'vbench-i2v-8']
    """
    return tuple((table, row) for table in published_tables() for row in table.generated if row.model == name)


def published_rows_of(record: RunRecord) -> tuple[str, ...]:
    """Return a line that puts what others report of a run's system beside its numbers; none for other suites' tables.

    Cells are as printed, in the table's own units.
    """
    return tuple(
        f"published row of {row.model} ({table.status}): "
        + ", ".join(f"{metric} {row.text(at)}" for at, metric in enumerate(table.metrics))
        for table, row in published_rows(published_name(record))
        if table.suite == record.spec.suite
    )
