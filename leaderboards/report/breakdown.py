"""Means by group of items: by action label, by style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from anisora.harness.runfolder import ScoreRow
from anisora.leaderboards.pairing import rows_by_metric, values_of
from anisora.leaderboards.table import LeaderboardTable, TableColumn

__all__ = ["Breakdown", "GroupCell", "MetricBreakdown", "break_down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCell:
    """The mean of one system over one group, in natural units."""

    value: float | None
    """None where the system has no score in the group."""
    items: int
    """Items that entered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricBreakdown:
    """One metric: groups by systems."""

    column: TableColumn
    cells: tuple[tuple[GroupCell, ...], ...]
    """(groups, systems), in the order of ``Breakdown.groups`` and of the table's rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """A grouping of the items, with the means of every metric."""

    name: str
    """``label`` or ``style``."""
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    """Items of each group."""
    metrics: tuple[MetricBreakdown, ...]


def break_down(
    name: str, group_of: Mapping[str, str], table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]]
) -> Breakdown:
    """Average every system's items by group; each item counts once, seeds averaged within it.

    A group is most often one cluster, and one cluster has no interval: the means are given with their number
    of items and without one.

    Args:
        name: Of the grouping.
        group_of: {item: its group}.
        table: The systems and the columns.
        scores: {run id: its rows}.
    """
    groups = tuple(sorted(set(group_of.values())))
    members = {group: {item for item, its in group_of.items() if its == group} for group in groups}
    by_run = {row.run_id: rows_by_metric(scores[row.run_id]) for row in table.rows}
    metrics = []
    for column in table.columns:
        values = [values_of(by_run[row.run_id].get(column.metric, [])) for row in table.rows]
        cells = tuple(tuple(_mean(mine, members[group]) for mine in values) for group in groups)
        metrics.append(MetricBreakdown(column=column, cells=cells))
    return Breakdown(
        name=name, groups=groups, sizes=tuple(len(members[group]) for group in groups), metrics=tuple(metrics)
    )


def _mean(values: Mapping[str, float], items: set[str]) -> GroupCell:
    scored = [values[item] for item in sorted(items & values.keys())]
    return GroupCell(value=fsum(scored) / len(scored) if scored else None, items=len(scored))
