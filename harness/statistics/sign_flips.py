"""Tests by flipping the signs of whole clusters: of one difference, or of a family of them at once.

If two systems are equal, the difference of a cluster is as likely to be its opposite. One flip of a cluster turns all
columns at once, so that their correlation is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.statistics.cluster_bootstrap import checked_draws
from anisora.harness.statistics.cluster_table import ClusterTable, cluster_table

__all__ = [
    "EXACT_CLUSTERS",
    "FLIPS",
    "FlipTest",
    "SignFlips",
    "flip_p_values",
    "flipped_statistics",
    "max_t",
    "paired_columns",
    "sign_flip_test",
]

EXACT_CLUSTERS: Final = 14
"""Up to this number of clusters all flips are counted (16,384 of fourteen)."""
FLIPS: Final = 10_000

_BLOCK: Final = 4_000_000
"""Statistics held at a time, in blocks of flips."""
_NO_SPREAD: Final = 1e-12
"""Variances below this share of the mean square are rounding errors."""
_SLACK: Final = 1e-9
"""Statistics that agree to this relative precision are equal."""
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipTest:
    """One difference in a family. What could not be computed is None."""

    name: str
    value: float
    """Mean difference."""
    statistic: float | None
    """Over its cluster-robust standard error; infinite where a difference has no spread. None of one cluster."""
    p_value: float | None
    """Two-sided, alone."""
    adjusted_p: float | None
    """Two-sided, corrected for all of the family."""
    count: int
    """Items."""
    clusters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlips:
    """A family of tests by the same flips."""

    tests: tuple[FlipTest, ...]
    method: str
    flips: int
    seed: int | None
    """None where all flips were counted."""


def sign_flip_test(
    left: Mapping[str, float],
    right: Mapping[str, float],
    clusters: Mapping[str, str],
    *,
    flips: int = FLIPS,
    seed: int = 0,
) -> SignFlips:
    """Test the mean difference of two systems over their shared items by flipping the signs of clusters.

    As ``max_t`` with one column; ``p_value`` and ``adjusted_p`` are the same.

    Args:
        left: {item: finite value}.
        right: The same for the other side.
        clusters: {item: cluster} of at least the items both have.
        flips: Drawn above ``EXACT_CLUSTERS`` clusters; at least 1000.
        seed: Of the draws.

    Raises:
        MetricError: No item is shared, a number is not finite, or a shared item has no cluster.
    """
    return max_t({"difference": _difference(left, right)}, clusters, flips=flips, seed=seed)


def max_t(
    differences: Mapping[str, Mapping[str, float]],
    clusters: Mapping[str, str],
    *,
    flips: int = FLIPS,
    seed: int = 0,
) -> SignFlips:
    """Test a family of mean differences, corrected for their number and correlation.

    Step-down max-T of Westfall and Young (1993) over flips of whole clusters. The statistic is the mean
    over its cluster-robust standard error, which each flip computes anew. With ``B`` drawn flips of which ``b`` are as
    extreme, ``p = (b + 1) / (B + 1)``; up to ``EXACT_CLUSTERS`` clusters all are counted. A column need not have every
    item; each uses those it has.

    Args:
        differences: {name: {item: finite difference}}, such as one name for each pair of systems and column.
        clusters: {item: cluster} of at least these items.
        flips: Drawn above ``EXACT_CLUSTERS`` clusters; at least 1000.
        seed: Of the draws.

    Raises:
        MetricError: A column has no items, a number is not finite, or an item has no cluster.
    """
    checked_draws(flips)
    table = cluster_table(differences, clusters)
    groups = (table.counts > 0).sum(axis=0)
    testable = np.flatnonzero(groups > 1)
    is_exact = table.clusters <= EXACT_CLUSTERS
    found, alone, adjusted = flip_p_values(table, testable, None if is_exact else (flips, seed))
    statistics, single, family = (
        dict(zip(testable.tolist(), values.tolist(), strict=True)) for values in (found, alone, adjusted)
    )
    means = table.means
    return SignFlips(
        tests=tuple(
            FlipTest(
                name=name,
                value=float(means[at]),
                statistic=statistics.get(at),
                p_value=single.get(at),
                adjusted_p=family.get(at),
                count=int(table.counts[:, at].sum()),
                clusters=int(groups[at]),
            )
            for at, name in enumerate(table.columns)
        ),
        method=f"exact over {2**table.clusters} sign flips of clusters"
        if is_exact
        else f"over {flips} random sign flips of clusters",
        flips=2**table.clusters if is_exact else flips,
        seed=None if is_exact else seed,
    )


def paired_columns(
    left: Mapping[str, Mapping[str, float]], right: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Return {column: {item: left minus right}} of the columns and items that both sides have."""
    return {
        column: _difference(values, right[column])
        for column, values in left.items()
        if column in right and values.keys() & right[column].keys()
    }


def flipped_statistics(sums: _Floats, counts: _Floats, signs: _Floats) -> _Floats:
    """Return (flips, columns) means over their standard errors.

    Args:
        sums: (clusters, columns).
        counts: (clusters, columns) items; at least two clusters of each column have some.
        signs: (flips, clusters) of 1 and -1.
    """
    total = counts.sum(axis=0)
    factor = np.where(counts > 0, 1 / (1 - np.where(counts < total, counts / total, 0.0)), 0.0)
    square = (factor * sums**2).sum(axis=0)
    means = signs @ sums / total
    cross = signs @ (factor * sums * counts)
    variance = square - 2 * means * cross + means**2 * (factor * counts**2).sum(axis=0)
    is_spread = variance > _NO_SPREAD * np.where(square > 0, square, 1.0)
    ratio = means * total / np.sqrt(np.where(is_spread, variance, 1.0))
    return np.where(is_spread, ratio, np.where(square > 0, np.copysign(np.inf, means), 0.0))


def _difference(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    return {item: left[item] - right[item] for item in left if item in right}


def flip_p_values(
    table: ClusterTable, testable: NDArray[np.int64], drawn: tuple[int, int] | None
) -> tuple[_Floats, _Floats, _Floats]:
    """Return statistics, p values and corrected p values of the testable columns, each (testable,).

    Args:
        table: Differences, summed by cluster.
        testable: Places of the columns with items in two clusters or more.
        drawn: (flips, seed), or None to count all.
    """
    sums, counts = table.sums[:, testable], table.counts[:, testable]
    found = flipped_statistics(sums, counts, np.ones((1, table.clusters)))[0]
    if not len(testable):
        return found, found, found
    # From the least to the most extreme: the maximum over a test and all less extreme ones is then a running one.
    order = np.argsort(np.abs(found), kind="stable")
    ordered = np.abs(found)[order]
    threshold = np.where(np.isfinite(ordered), ordered * (1 - _SLACK), ordered)
    alone, together, made = np.zeros(len(order)), np.zeros(len(order)), 0
    for signs in (
        _all_signs(table.clusters, len(testable))
        if drawn is None
        else _drawn_signs(table.clusters, len(testable), *drawn)
    ):
        extreme = np.abs(flipped_statistics(sums[:, order], counts[:, order], signs))
        alone += (extreme >= threshold).sum(axis=0)
        together += (np.maximum.accumulate(extreme, axis=1) >= threshold).sum(axis=0)
        made += len(signs)
    more = 0 if drawn is None else 1
    alone, together = (alone + more) / (made + more), (together + more) / (made + more)
    together = np.maximum.accumulate(together[::-1])[::-1]  # no test may be surer than a more extreme one
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return found, alone[back], together[back]


def _all_signs(clusters: int, columns: int) -> Iterator[_Floats]:
    """Yield all flips in which the last cluster keeps its sign; the others are their opposites."""
    total, block = 2 ** (clusters - 1), max(1, _BLOCK // max(columns, clusters))
    for start in range(0, total, block):
        numbers = np.arange(start, min(start + block, total))[:, None]
        yield np.asarray(1.0 - 2.0 * (numbers >> np.arange(clusters) & 1), np.float64)


def _drawn_signs(clusters: int, columns: int, flips: int, seed: int) -> Iterator[_Floats]:
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(columns, clusters))
    for start in range(0, flips, block):
        yield np.asarray(generator.integers(0, 2, (min(block, flips - start), clusters)) * 2 - 1, np.float64)
