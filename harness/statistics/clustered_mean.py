"""Means of clips that come in clusters, with intervals.

Pure functions. Clips of one action label resemble each other, so clusters, not clips, are the independent
units. Sums are exactly rounded (``math.fsum``), so that the order of rows cannot change a number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import ClusterSums, cluster_variance, t_quantile

__all__ = ["MIN_CLUSTERS", "Estimate", "Item", "checked_items", "cluster_sums", "clustered_mean", "without_interval"]

MIN_CLUSTERS = 6
"""Below this number of clusters a cluster-robust interval does not hold its level, and none is given."""

_METHOD = "clustered t"

Item = tuple[float, str, float]
"""Value, cluster and weight."""


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
    degrees: float | None = None
    """Degrees of freedom of Student's t behind the interval; None where there is none."""


def clustered_mean(
    values: Sequence[float],
    clusters: Sequence[str],
    weights: Sequence[float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate a weighted mean with an interval that allows for clusters.

    The mean is ``m = sum(w y) / sum(w)``. Its variance is the bias-reduced cluster-robust one (CR2) and the interval
    takes Student's t with Satterthwaite's degrees of freedom, lowered where the clusters are skewed; see
    ``cluster_variance`` for the formulas and their sources. Clusters of equal size with symmetrical means have the
    classical t interval with ``G - 1`` degrees of freedom. Items of weight zero do not enter.

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
    kept = checked_items(values, clusters, weights, level)
    found = without_interval(kept, level)
    if found.degrees is None or found.value is None or found.standard_error is None:
        return found
    half = t_quantile(level, found.degrees) * found.standard_error
    return replace(found, low=found.value - half, high=found.value + half, method=_METHOD)


def cluster_sums(kept: Sequence[Item], mean: float) -> ClusterSums:
    """Return the sums of each cluster about a mean; in an order that neither rows nor names decide."""
    members: dict[str, list[tuple[float, float]]] = {}
    for value, cluster, weight in kept:
        members.setdefault(cluster, []).append((weight, value - mean))
    rows = sorted(
        (
            math.fsum(weight * residual for weight, residual in member),
            math.fsum(weight for weight, _ in member),
            math.fsum(weight**2 for weight, _ in member),
            float(len(member)),
            math.fsum(residual for _, residual in member),
            math.fsum(residual**2 for _, residual in member),
        )
        for member in members.values()
    )
    score, weight, squared_weight, count, residual, squared_residual = np.array(rows, np.float64).T
    return ClusterSums(
        weight=weight,
        squared_weight=squared_weight,
        count=count,
        score=score,
        residual=residual,
        squared_residual=squared_residual,
    )


def without_interval(kept: Sequence[Item], level: float) -> Estimate:
    """Return mean, standard error and degrees of freedom; without degrees, and with a note, where there are too few."""
    total = math.fsum(weight for _, _, weight in kept)
    if not kept or total == 0:
        return _bare(None, None, level=level, note="nothing was scored", count=0, clusters=0)
    mean = math.fsum(weight * value for value, _, weight in kept) / total
    groups = len({cluster for _, cluster, _ in kept})
    error, degrees = None, None
    if groups > 1:
        found = cluster_variance(cluster_sums(kept, mean))
        error, degrees = math.sqrt(found.variance), float(found.degrees)
    plural = "" if groups == 1 else "s"
    note = f"{groups} cluster{plural}; an interval needs {MIN_CLUSTERS}" if groups < MIN_CLUSTERS else ""
    bare = _bare(mean, error, level=level, note=note, count=len(kept), clusters=groups)
    return bare if note else replace(bare, degrees=degrees)


def checked_items(
    values: Sequence[float], clusters: Sequence[str], weights: Sequence[float] | None, level: float
) -> list[Item]:
    """Return the items that enter.

    Raises:
        MetricError: Lengths differ, or a number is not finite or out of range.
    """
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    if weights is None:
        weights = [1.0] * len(values)
    if not len(values) == len(clusters) == len(weights):
        raise MetricError(
            f"`values` got {len(values)} values, {len(clusters)} clusters and {len(weights)} "
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


def _bare(value: float | None, error: float | None, *, level: float, note: str, count: int, clusters: int) -> Estimate:
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
