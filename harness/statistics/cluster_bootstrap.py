"""Bootstrap over whole clusters, for a mean and for anything made of sums over clusters."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.clustered_mean import Estimate, checked_items, cluster_sums

__all__ = [
    "BOOTSTRAP_CLUSTERS",
    "DRAWS",
    "BootstrapEstimate",
    "bca_bounds",
    "bootstrap_mean",
    "checked_draws",
    "resampled_counts",
    "too_few",
]

BOOTSTRAP_CLUSTERS: Final = 30
"""Below this number of clusters a bootstrap does not hold its level, and none is made."""
DRAWS: Final = 10_000

_BLOCK: Final = 2_000_000
"""Numbers held at a time, in blocks of draws."""
_METHOD = "BCa cluster bootstrap"
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapEstimate(Estimate):
    """A value with a bootstrap interval; its standard error is the standard deviation over the draws."""

    draws: int
    """0 where there is no interval."""
    seed: int


def bootstrap_mean(
    values: Sequence[float],
    clusters: Sequence[str],
    weights: Sequence[float] | None = None,
    level: float = 0.95,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> BootstrapEstimate:
    """Estimate a weighted mean with a BCa interval over resampled clusters.

    Whole clusters are drawn with replacement, as many as there are; the mean of a draw is the ratio of its sums. The
    interval is the bias-corrected and accelerated one (Efron 1987), its acceleration from leaving out one cluster at a
    time. Its normal quantiles are replaced by ``sqrt(G / (G - 1)) t_{G-1}``, since a bootstrap is too narrow by that
    much (Hesterberg 2015, arXiv 1411.5279). The same seed gives the same digits, whatever the order of
    rows and the names of clusters.

    Args:
        values: One finite number an item.
        clusters: The cluster of each item.
        weights: Finite and not negative; all equal when left out.
        level: Coverage of the interval, between 0 and 1.
        draws: At least 1000.
        seed: Of the draws.

    Returns:
        Without interval, and with a note, below ``BOOTSTRAP_CLUSTERS`` clusters.

    Raises:
        MetricError: Lengths differ, or a number is not finite or out of range.
    """
    checked_draws(draws)
    kept = checked_items(values, clusters, weights, level)
    total = math.fsum(weight for _, _, weight in kept)
    mean = math.fsum(weight * value for value, _, weight in kept) / total if kept else None
    groups = len({cluster for _, cluster, _ in kept})
    low = high = error = None
    if mean is not None and groups >= BOOTSTRAP_CLUSTERS:
        sums = cluster_sums(kept, mean)
        blocks = [counts @ sums.score / (counts @ sums.weight) for counts in resampled_counts(groups, draws, seed)]
        left_out = -sums.score / (total - sums.weight)
        low, high, error = (
            float(found[0])
            for found in bca_bounds(np.concatenate(blocks)[:, None], np.zeros(1), left_out[:, None], level)
        )
        low, high = mean + low, mean + high
    return BootstrapEstimate(
        value=mean,
        standard_error=error,
        low=low,
        high=high,
        level=level,
        method="" if low is None else _METHOD,
        note=too_few(groups),
        count=len(kept),
        clusters=groups,
        draws=0 if low is None else draws,
        seed=seed,
    )


def bca_bounds(found: _Floats, value: _Floats, left_out: _Floats, level: float) -> tuple[_Floats, _Floats, _Floats]:
    """Return lower bounds, upper bounds and standard errors of BCa intervals.

    Args:
        found: (draws, statistics) of resampled clusters.
        value: (statistics,) of the sample.
        left_out: (clusters, statistics) with one cluster left out.
        level: Coverage, between 0 and 1.

    Returns:
        Three arrays of (statistics,).
    """
    from scipy.special import ndtr, ndtri, stdtrit

    draws, clusters = len(found), len(left_out)
    below = ((found < value).sum(axis=0) + 0.5 * (found == value).sum(axis=0)) / draws
    bias = ndtri(np.clip(below, 0.5 / draws, 1 - 0.5 / draws))
    apart = left_out.mean(axis=0) - left_out
    squares = (apart**2).sum(axis=0)
    acceleration = np.where(squares > 0, (apart**3).sum(axis=0) / (6 * np.where(squares > 0, squares, 1.0) ** 1.5), 0.0)
    quantile = math.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, 0.5 + level / 2)
    bounds = []
    for side in (-quantile, quantile):
        shifted = bias + side
        at = ndtr(bias + shifted / (1 - acceleration * shifted))
        bounds.append(np.array([np.quantile(column, share) for column, share in zip(found.T, at, strict=True)]))
    return bounds[0], bounds[1], found.std(axis=0, ddof=1)


def resampled_counts(clusters: int, draws: int, seed: int) -> Iterator[_Floats]:
    """Yield blocks of (draws, clusters): how often each cluster was drawn with replacement."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // clusters)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        drawn = generator.integers(0, clusters, (size, clusters)) + np.arange(size)[:, None] * clusters
        yield np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters).astype(np.float64)


def too_few(clusters: int) -> str:
    """Return why there is no bootstrap of so many clusters; empty where there is one."""
    if clusters == 0:
        return "nothing was scored"
    if clusters >= BOOTSTRAP_CLUSTERS:
        return ""
    return f"{clusters} cluster{'' if clusters == 1 else 's'}; a bootstrap needs {BOOTSTRAP_CLUSTERS}"


def checked_draws(draws: int) -> None:
    """Refuse so few draws that the ends of an interval are noise."""
    if draws < 1000:
        raise MetricError(f"`draws` got {draws!r}; expected at least 1000, since few draws give other ends each time.")
