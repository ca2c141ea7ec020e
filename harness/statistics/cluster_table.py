"""Columns of items summed by cluster: all that resampling of whole clusters needs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError

__all__ = ["ClusterTable", "cluster_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTable:
    """Sums and counts of clusters, in an order that neither rows nor the names of clusters decide."""

    columns: tuple[str, ...]
    sums: NDArray[np.float64]
    """(clusters, columns) sum of the values."""
    counts: NDArray[np.float64]
    """(clusters, columns) items with a value; 0 where a column has none of the cluster."""

    @property
    def clusters(self) -> int:
        """Clusters with an item in any column."""
        return len(self.sums)

    @property
    def means(self) -> NDArray[np.float64]:
        """(columns,) mean over the items of each column."""
        totals = [math.fsum(column) for column in self.sums.T]
        return np.asarray(np.array(totals) / self.counts.sum(axis=0))


def cluster_table(columns: Mapping[str, Mapping[str, float]], clusters: Mapping[str, str]) -> ClusterTable:
    """Sum columns of items by cluster.

    Args:
        columns: {column: {item: finite value}}; a column need not have every item, but one at least.
        clusters: {item: cluster} of at least the items of the columns.

    Raises:
        MetricError: There is no column, a column has no item, a number is not finite, or an item has no cluster.
    """
    if not columns:
        raise MetricError("`columns` is empty; expected at least one column of {item: value}.")
    members: dict[str, dict[str, list[float]]] = {}
    for name, values in columns.items():
        if not values:
            raise MetricError(f"Column {name!r} has no items; expected at least one. Leave it out if that is meant.")
        for item, value in values.items():
            if not math.isfinite(value):
                raise MetricError(f"Item {item!r} of column {name!r} got {float(value)!r}; expected a finite number.")
            if item not in clusters:
                raise MetricError(f"Item {item!r} has no cluster in `clusters`; expected one for every item.")
            members.setdefault(clusters[item], {}).setdefault(name, []).append(float(value))
    names = tuple(columns)
    rows = sorted(
        (
            [float(len(by_column.get(name, ()))) for name in names],
            [math.fsum(by_column.get(name, ())) for name in names],
        )
        for by_column in members.values()
    )
    return ClusterTable(
        columns=names, counts=np.array([row[0] for row in rows]), sums=np.array([row[1] for row in rows])
    )
