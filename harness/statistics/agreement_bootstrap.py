"""Intervals of agreement: correlations and pairwise accuracy under resampling of whole clusters.

The values themselves come from ``rank_correlation`` and ``linear_correlation``. Here each is written as a function of
how often every cluster was drawn, so that ten thousand draws are a few products of matrices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_bootstrap import DRAWS, bca_bounds, checked_draws, resampled_counts, too_few
from anisora.harness.statistics.clustered_mean import Estimate

__all__ = ["STATISTICS", "AgreementInterval", "agreement_intervals"]

STATISTICS: Final = ("spearman", "kendall", "pearson", "accuracy", "accuracy_with_ties")
"""What has an interval: three correlations, and the two accuracies of ``PairwiseAccuracy``."""

_METHOD: Final = "BCa cluster bootstrap"
_BLOCK: Final = 4_000_000
"""Numbers held at a time while draws are ranked."""
_ROWS: Final = 512
"""Items whose pairs with all others are held at a time."""
_MOST_UNDEFINED: Final = 0.05
"""Share of draws without a value, such as where one side is constant, above which no interval is given."""
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementInterval:
    """The interval of one statistic; None, and a note that says why, where there is none."""

    low: float | None
    high: float | None
    level: float
    method: str
    note: str
    clusters: int

    @classmethod
    def of(cls, estimate: Estimate) -> "AgreementInterval":
        """Return the interval of an estimate."""
        return cls(
            low=estimate.low,
            high=estimate.high,
            level=estimate.level,
            method=estimate.method,
            note=estimate.note,
            clusters=estimate.clusters,
        )


def agreement_intervals(
    people: Sequence[float],
    metric: Sequence[float],
    clusters: Sequence[str],
    *,
    tie_threshold: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, AgreementInterval]:
    """Return BCa intervals of all STATISTICS over resampled clusters.

    A cluster that is drawn k times enters k times. Pairs of an item with its own copy say nothing and do not count:
    pairs are those of different clusters, product of their counts, and those within a cluster, its count. Ranks are
    made anew in each draw. Memory grows with the square of the clusters, time with the square of the items.

    Args:
        people: One finite number an item, greater for better.
        metric: The same of the metric, greater for better.
        clusters: The cluster of each item, such as its label or first frame.
        tie_threshold: The metric calls a tie what differs by this or less.
        draws: At least 1000.
        seed: Of the draws.
        level: Coverage, between 0 and 1.

    Returns:
        {statistic: interval}; without bounds below ``BOOTSTRAP_CLUSTERS`` clusters.

    Raises:
        MetricError: Lengths differ, or a number is not finite or out of range.
    """
    checked_draws(draws)
    if not len(people) == len(metric) == len(clusters):
        raise MetricError(
            f"`people`, `metric` and `clusters` have {len(people)}, {len(metric)} and {len(clusters)} entries; "
            "expected one of each an item."
        )
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    x, y = np.asarray(people, np.float64), np.asarray(metric, np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise MetricError("`people` or `metric` has a number that is not finite; leave such items out.")
    names, labels = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    groups = len(names)
    note = too_few(groups)
    if note:
        return {name: _without(note, groups, level) for name in STATISTICS}
    statistics = _Statistics(x, y, labels.astype(np.int64), groups, tie_threshold)
    one = statistics.of(np.ones((1, groups)))
    left_out = statistics.of(1.0 - np.eye(groups))
    drawn = [statistics.of(counts) for counts in resampled_counts(groups, draws, seed)]
    found = {name: np.concatenate([block[name] for block in drawn]) for name in STATISTICS}
    return {
        name: _interval(found[name], float(one[name][0]), left_out[name], groups=groups, level=level)
        for name in STATISTICS
    }


def _without(note: str, groups: int, level: float) -> AgreementInterval:
    return AgreementInterval(low=None, high=None, level=level, method="", note=note, clusters=groups)


def _interval(found: _Floats, value: float, left_out: _Floats, *, groups: int, level: float) -> AgreementInterval:
    defined = found[np.isfinite(found)]
    if not np.isfinite(value) or not np.isfinite(left_out).all() or len(defined) < (1 - _MOST_UNDEFINED) * len(found):
        return _without("too many draws have no value: one side is constant, or nearly so", groups, level)
    low, high, _ = bca_bounds(defined[:, None], np.array([value]), left_out[:, None], level)
    return AgreementInterval(
        low=float(low[0]), high=float(high[0]), level=level, method=_METHOD, note="", clusters=groups
    )


class _Statistics:
    """All statistics as functions of (draws, clusters) counts."""

    def __init__(self, x: _Floats, y: _Floats, labels: NDArray[np.int64], groups: int, threshold: float) -> None:
        order = np.argsort(labels, kind="stable")
        self._x, self._y, self._labels = x[order], y[order], labels[order]
        self._rank_x, self._rank_y = _ranker(self._x), _ranker(self._y)
        self._pairs = self._pair_sums(groups, threshold)

    def _pair_sums(self, groups: int, threshold: float) -> dict[str, _Floats]:
        """Return (clusters, clusters) sums over ordered pairs of items."""
        x, y = self._x, self._y
        starts = np.searchsorted(self._labels, np.arange(groups))
        sums = {name: np.zeros((groups, groups)) for name in ("sign", "same_x", "same_y", "right", "told", "agreed")}
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            told = np.sign(x[rows, None] - x[None, :])
            difference = y[rows, None] - y[None, :]
            said = np.where(np.abs(difference) <= threshold, 0.0, np.sign(difference))
            tables = {
                "sign": told * np.sign(difference),
                "same_x": told == 0,
                "same_y": difference == 0,
                "right": (told == said) & (told != 0),
                "told": told != 0,
                "agreed": told == said,
            }
            for name, table in tables.items():
                by_column = np.add.reduceat(table.astype(np.float64), starts, axis=1)
                np.add.at(sums[name], self._labels[rows], by_column)
        each = np.bincount(self._labels, minlength=groups).astype(np.float64)
        sums["all"] = np.outer(each, each)
        for name in ("same_x", "same_y", "agreed", "all"):  # an item beside itself is no pair
            sums[name] -= np.diag(each)
        return sums

    def of(self, counts: _Floats) -> dict[str, _Floats]:
        """Return {statistic: (draws,)}; NaN where it is not defined."""
        pairs = {name: _over_pairs(table, counts) for name, table in self._pairs.items()}
        with np.errstate(divide="ignore", invalid="ignore"):
            untied = (pairs["all"] - pairs["same_x"]) * (pairs["all"] - pairs["same_y"])
            return {
                "spearman": self._by_items(counts, lambda weights: (self._rank_x(weights), self._rank_y(weights))),
                "kendall": pairs["sign"] / np.sqrt(untied),
                "pearson": self._by_items(counts, lambda _: (self._x[None, :], self._y[None, :])),
                "accuracy": pairs["right"] / pairs["told"],
                "accuracy_with_ties": pairs["agreed"] / pairs["all"],
            }

    def _by_items(self, counts: _Floats, sides: Callable[[_Floats], tuple[_Floats, _Floats]]) -> _Floats:
        block = max(1, _BLOCK // len(self._x))
        found = []
        for start in range(0, len(counts), block):
            weights = counts[start : start + block, self._labels]
            found.append(_weighted_correlation(weights, *sides(weights)))
        return np.concatenate(found)


def _over_pairs(table: _Floats, counts: _Floats) -> _Floats:
    """Return (draws,) sums over ordered pairs: between clusters by the product of counts, within by the count."""
    within = np.diag(table)
    between = table - np.diag(within)
    return np.asarray(((counts @ between) * counts).sum(axis=1) + counts @ within)


def _ranker(values: _Floats) -> Callable[[_Floats], _Floats]:
    """Return the function from (draws, items) weights to (draws, items) mid-ranks of weighted items."""
    order = np.argsort(values, kind="stable")
    _, first, where = np.unique(values[order], return_index=True, return_inverse=True)
    place = np.empty(len(values), np.int64)
    place[order] = where

    def ranks(weights: _Floats) -> _Floats:
        sizes = np.add.reduceat(weights[:, order], first, axis=1)
        return np.asarray((np.cumsum(sizes, axis=1) - sizes / 2)[:, place])

    return ranks


def _weighted_correlation(weights: _Floats, x: _Floats, y: _Floats) -> _Floats:
    total = weights.sum(axis=1, keepdims=True)
    a = x - (weights * x).sum(axis=1, keepdims=True) / total
    b = y - (weights * y).sum(axis=1, keepdims=True) / total
    squares = (weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1)
    found = (weights * a * b).sum(axis=1)
    roots = np.sqrt(np.where(squares > 0, squares, 1.0))
    return np.asarray(np.where(squares > 0, found / roots, np.nan))
