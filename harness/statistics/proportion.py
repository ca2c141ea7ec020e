"""Shares of items, for columns of yes and no."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import t_quantile
from anisora.harness.statistics.clustered_mean import Estimate, checked_items, without_interval

__all__ = ["SHARE_METHOD", "clustered_proportion", "wilson_bounds"]

SHARE_METHOD: Final = "clustered Wilson"
"""How the interval of a share is made, as records and tables say it."""


def clustered_proportion(
    values: Sequence[float],
    clusters: Sequence[str],
    weights: Sequence[float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate a share of items with an interval that allows for clusters and stays within 0 and 1.

    Wilson's (1927) score interval with an effective number of items, ``n* = p (1 - p) / V``, which is ``n`` over the
    design effect, ``V`` being the clustered variance of ``clustered_mean``, and with Student's t of its degrees of
    freedom in place of the normal quantile (Korn and Graubard 1998; Dean and Pagano 2015)::

        (p + k / 2 -+ sqrt(k p (1 - p) + k^2 / 4)) / (1 + k)   with   k = t^2 / n*

    Where all items are equal nothing tells the design effect; then a cluster counts as one item.

    Args:
        values: From 0 to 1 an item: 0 or 1, or what an item of several seeds has on average; a tie may be 0.5.
        clusters: The cluster of each item.
        weights: Finite and not negative; all equal when left out.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        MetricError: Lengths differ, or a number is not finite or out of range.

    Example:
        >>> found = clustered_proportion([1.0] * 6, list("abcdef"))
        >>> found.value, round(found.low, 2), found.high
        (1.0, 0.48, 1.0)
    """
    wrong = next((at for at, value in enumerate(values) if not 0 <= value <= 1), None)
    if wrong is not None:
        raise MetricError(f"`values[{wrong}]` got {float(values[wrong])!r}; expected a number from 0 to 1.")
    kept = checked_items(values, clusters, weights, level)
    found = without_interval(kept, level)
    if found.degrees is None or found.value is None or found.standard_error is None:
        return found
    low, high = wilson_bounds(
        np.float64(found.value),
        np.float64(found.standard_error**2),
        np.float64(t_quantile(level, found.degrees)),
        clusters=found.clusters,
    )
    return replace(found, low=float(low), high=float(high), method=SHARE_METHOD)


def wilson_bounds(
    share: NDArray[np.float64] | np.float64,
    variance: NDArray[np.float64] | np.float64,
    quantile: NDArray[np.float64] | np.float64,
    *,
    clusters: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds of Wilson's interval; all arguments and both results are arrays of one shape."""
    spread = share * (1 - share)
    is_informative = (variance > 0) & (spread > 0)
    per_item = np.where(is_informative, variance / np.where(spread > 0, spread, 1.0), 1 / clusters)
    k = quantile**2 * per_item
    half = np.sqrt(k * spread + k**2 / 4)
    low, high = (share + k / 2 - half) / (1 + k), (share + k / 2 + half) / (1 + k)
    return np.clip(low, 0.0, 1.0), np.clip(np.where(share == 1, 1.0, high), 0.0, 1.0)
