"""Means of clips that come in clusters, with intervals.

Pure functions. Clips of one action label resemble each other, so clusters, not clips, are the independent
units. Sums are exactly rounded (``math.fsum``), so that the order of rows cannot change a number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anisora.harness.errors import MetricError

__all__ = ["MIN_CLUSTERS", "Estimate", "clustered_mean"]

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
