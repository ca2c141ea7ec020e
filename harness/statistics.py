"""Intervals and tests over clips that come in clusters: the only statistics in the project.

Pure functions. Clips of one action label resemble each other, so clusters, not clips, are the independent
units. Sums are exactly rounded (``math.fsum``), so that the order of rows cannot change a number.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anisora.harness.errors import MetricError

__all__ = ["MIN_CLUSTERS", "Estimate", "PairedDifference", "clustered_mean", "holm", "paired_difference"]

MIN_CLUSTERS = 6
"""Below this number of clusters a cluster-robust interval does not hold its level, and none is given."""

_METHOD = "clustered t"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its uncertainty. What could not be computed is None, and ``note`` says why."""

    value: float | None
    standard_error: float | None
    """Cluster-robust; None below two clusters."""
    low: float | None
    high: float | None
    level: float
    method: str
    """How the interval was made; empty where there is none."""
    note: str
    """Why there is no interval; empty where there is one."""
    count: int
    """Items that entered."""
    clusters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Left minus right over the items that both have."""

    estimate: Estimate
    p_value: float | None
    """Two-sided, of no difference in the mean; None where there is no interval."""
    wins: int
    """Items where left is greater."""
    losses: int
    ties: int
    only_left: int
    """Items that right does not have; they are reported and left out, never imputed."""
    only_right: int

    @property
    def items(self) -> int:
        """Items that both have."""
        return self.estimate.count


def clustered_mean(
    values: Sequence[float],
    clusters: Sequence[str],
    weights: Sequence[float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate a weighted mean with an interval that allows for clusters.

    The mean is ``m = sum(w y) / sum(w)``. Its variance is the linearised one of a ratio of cluster totals,
    ``G / (G - 1) * sum_c (sum_{i in c} w_i (y_i - m))^2 / sum(w)^2``, and the interval takes Student's t
    with ``G - 1`` degrees of freedom (Liang and Zeger 1986; Miller 2024, arXiv 2411.00640). Items of weight
    zero do not enter.

    Args:
        values: One finite number an item.
        clusters: The cluster of each item.
        weights: Finite and not negative; all equal when left out.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        MetricError: Lengths differ, or a number is not finite or out of range.

    Example:
        >>> clustered_mean([1.0, 2.0, 3.0], ["a", "b", "c"]).value
        2.0
    """
    kept = _checked(values, clusters, weights, level)
    total = math.fsum(weight for _, _, weight in kept)
    if not kept or total == 0:
        return _without_interval(None, None, level=level, note="nothing was scored", count=0, clusters=0)
    mean = math.fsum(weight * value for value, _, weight in kept) / total
    residuals: dict[str, list[float]] = {}
    for value, cluster, weight in kept:
        residuals.setdefault(cluster, []).append(weight * (value - mean))
    groups = len(residuals)
    error = None
    if groups > 1:
        squares = math.fsum(math.fsum(part) ** 2 for part in residuals.values())
        error = math.sqrt(groups / (groups - 1) * squares) / total
    if error is None or groups < MIN_CLUSTERS:
        plural = "" if groups == 1 else "s"
        note = f"{groups} cluster{plural}; an interval needs {MIN_CLUSTERS}"
        return _without_interval(mean, error, level=level, note=note, count=len(kept), clusters=groups)
    half = _t_quantile(level, groups - 1) * error
    return Estimate(
        value=mean,
        standard_error=error,
        low=mean - half,
        high=mean + half,
        level=level,
        method=_METHOD,
        note="",
        count=len(kept),
        clusters=groups,
    )


def _checked(
    values: Sequence[float], clusters: Sequence[str], weights: Sequence[float] | None, level: float
) -> list[tuple[float, str, float]]:
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    if weights is None:
        weights = [1.0] * len(values)
    if not len(values) == len(clusters) == len(weights):
        raise MetricError(
            f"`clustered_mean` got {len(values)} values, {len(clusters)} clusters and {len(weights)} "
            "weights; expected one of each an item."
        )
    kept = []
    for index, (value, cluster, weight) in enumerate(zip(values, clusters, weights, strict=True)):
        if not math.isfinite(value):
            raise MetricError(
                f"`values[{index}]` got {float(value)!r}; expected a finite number. "
                "An item without a score is left out before."
            )
        if not (math.isfinite(weight) and weight >= 0):
            raise MetricError(f"`weights[{index}]` got {float(weight)!r}; expected a finite number of at least 0.")
        if weight > 0:
            kept.append((float(value), cluster, float(weight)))
    return kept


def _without_interval(
    value: float | None, error: float | None, *, level: float, note: str, count: int, clusters: int
) -> Estimate:
    return Estimate(
        value=value,
        standard_error=error,
        low=None,
        high=None,
        level=level,
        method="",
        note=note,
        count=count,
        clusters=clusters,
    )


def _t_quantile(level: float, degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def paired_difference(
    left: Mapping[str, float],
    right: Mapping[str, float],
    clusters: Mapping[str, str],
    level: float = 0.95,
) -> PairedDifference:
    """Compare two systems item by item.

    Items that only one side has are counted and left out. The interval and the p value (two-sided
    cluster-robust t with ``G - 1`` degrees of freedom) are those of the mean of the differences.

    Args:
        left: {item: finite value}.
        right: The same for the other side.
        clusters: {item: cluster} of at least the items both have.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        MetricError: A number is not finite, or a shared item has no cluster.
    """
    shared = sorted(left.keys() & right.keys())
    unknown = next((item for item in shared if item not in clusters), None)
    if unknown is not None:
        raise MetricError(f"Item {unknown!r} has no cluster in `clusters`; expected one for every item.")
    differences = [left[item] - right[item] for item in shared]
    estimate = clustered_mean(differences, [clusters[item] for item in shared], level=level)
    return PairedDifference(
        estimate=estimate,
        p_value=_two_sided_p(estimate),
        wins=sum(difference > 0 for difference in differences),
        losses=sum(difference < 0 for difference in differences),
        ties=sum(difference == 0 for difference in differences),
        only_left=len(left) - len(shared),
        only_right=len(right) - len(shared),
    )


def _two_sided_p(estimate: Estimate) -> float | None:
    """Return the p value of a mean of zero, where there is an interval."""
    if estimate.value is None or estimate.standard_error is None or estimate.low is None:
        return None
    if estimate.standard_error == 0:
        return 1.0 if estimate.value == 0 else 0.0
    from scipy.special import stdtr

    return float(2 * stdtr(estimate.clusters - 1, -abs(estimate.value / estimate.standard_error)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for their number, step by step (Holm 1979); the order is kept.

    The i-th smallest of n, counted from 0, becomes the largest of ``(n - j) p_j`` over ``j <= i``, at most 1.
    Tests that could not be made are None; they stay None and do not count.

    Raises:
        MetricError: A p value is not between 0 and 1.

    Example:
        >>> holm([0.01, None, 0.04])
        [0.02, None, 0.04]
    """
    made = [(value, index) for index, value in enumerate(p_values) if value is not None]
    for value, index in made:
        if not 0 <= value <= 1:
            raise MetricError(f"`p_values[{index}]` got {float(value)!r}; expected a number from 0 to 1, or None.")
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (value, index) in enumerate(sorted(made)):
        largest = max(largest, min(1.0, (len(made) - rank) * value))
        corrected[index] = largest
    return corrected
