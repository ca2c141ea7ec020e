"""The variance of a mean over clusters, and how many degrees of freedom it has.

Works on sums per cluster and on many samples at once, so that the simulations that check the intervals run the very
arithmetic that every table runs.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SKEWNESS_COST",
    "ClusterSums",
    "ClusterVariance",
    "cluster_variance",
    "degrees_of_sizes",
    "squared_skewness",
    "t_quantile",
    "two_sided_p",
]

_Floats = NDArray[np.float64]

_NORMAL_95: Final = 1.959963984540054
SKEWNESS_COST: Final = 4 * (_NORMAL_95**2 - 1) * (_NORMAL_95**2 + 3) / (18 * (_NORMAL_95**2 + 1))
"""What each squared skewness of the mean adds to the reciprocal of the degrees of freedom: 0.89."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSums:
    """What the variance needs of each cluster; all arrays are (..., clusters)."""

    weight: _Floats
    """Sum of the weights of its items, above 0."""
    squared_weight: _Floats
    """Sum of their squares."""
    count: _Floats
    """Its items."""
    score: _Floats
    """Sum of ``w (y - m)``."""
    residual: _Floats
    """Sum of ``y - m``."""
    squared_residual: _Floats
    """Sum of ``(y - m)^2``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterVariance:
    """A variance of the mean with its degrees of freedom; both arrays are (...)."""

    variance: _Floats
    degrees: _Floats


def cluster_variance(sums: ClusterSums) -> ClusterVariance:
    """Estimate the variance of a weighted mean from the sums of its clusters.

    With the shares ``s_c`` of the clusters in all weight and ``e_c = sum_{i in c} w_i (y_i - m) / sum(w)``,

    * the variance is the bias-reduced one, CR2 (Bell and McCaffrey 2002), ``sum_c a_c e_c^2``. The factor
      ``a_c = v_c / Var(mean of c - m)`` makes it unbiased for independent items; without weights it is
      ``1 / (1 - s_c)``;
    * the degrees of freedom are Satterthwaite's, ``E[V]^2 / (Var(V) / 2)``, for items that correlate within a cluster
      as they do in this sample (Imbens and Kolesár 2016);
    * they are lowered where the cluster sums are skewed. The quantile of ``|t|`` grows with the squared skewness of the
      mean ``g^2 = (sum e^3)^2 / (sum e^2)^3`` by ``z (z^2 - 1) (z^2 + 3) g^2 / 18`` (Hall 1992, The Bootstrap and
      Edgeworth Expansion, polynomial q2 of the studentised mean), and with ``1 / f`` by ``z (z^2 + 1) / (4 f)``. So
      skewness adds ``SKEWNESS_COST g^2`` to ``1 / f``; ``z`` is that of 95 % for all levels, so that p values fit
      intervals.

    Clusters of equal weights and sizes with symmetrical sums have the classical variance and ``G - 1`` degrees of
    freedom.

    Args:
        sums: Of at least two clusters.

    Returns:
        Variance of at least 0; degrees of freedom above 0.
    """
    total = sums.weight.sum(axis=-1, keepdims=True)
    share = sums.weight / total
    independent = sums.squared_weight / sums.weight**2  # variance of a cluster's mean for items of variance 1
    part = sums.score / total

    spread = independent * (1 - share) ** 2 + _of_the_others(share**2 * independent)
    factor = independent / np.maximum(spread, np.finfo(np.float64).tiny)
    variance = (factor * part**2).sum(axis=-1)

    correlation = _intraclass_correlation(sums)[..., None]
    assumed = correlation + (1 - correlation) * independent
    degrees = _satterthwaite(factor * share**2, share, assumed)
    return ClusterVariance(variance=variance, degrees=1 / (1 / degrees + SKEWNESS_COST * squared_skewness(part)))


def degrees_of_sizes(sizes: NDArray[np.int64] | list[int], correlation: float) -> float:
    """Return the degrees of freedom that ``cluster_variance`` has for clusters of these sizes without skewness.

    Args:
        sizes: Items of each cluster, at least 1; two clusters or more.
        correlation: Intraclass correlation of the items, 0..1.

    Returns:
        ``G - 1`` for equal sizes, less for others.
    """
    count = np.asarray(sizes, np.float64)
    share, independent = count / count.sum(), 1 / count
    factor = 1 / (1 - share)
    return float(_satterthwaite(factor * share**2, share, correlation + (1 - correlation) * independent))


def t_quantile(level: float, degrees: float) -> float:
    """Return the number of standard errors on either side of a mean; ``level`` is the coverage between."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def two_sided_p(value: float, standard_error: float, degrees: float) -> float:
    """Return the two-sided p value of Student's t for a mean of zero; a mean without spread is 0 or is not."""
    if standard_error == 0:
        return 1.0 if value == 0 else 0.0
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(value / standard_error)))


def _of_the_others(values: _Floats) -> _Floats:
    """Return for each cluster the sum over all others."""
    return np.asarray(np.maximum(values.sum(axis=-1, keepdims=True) - values, 0.0))


def _intraclass_correlation(sums: ClusterSums) -> _Floats:
    """Return the mean product of two residuals of one cluster over the mean square (Imbens and Kolesár 2016), 0..1."""
    pairs = (sums.count * (sums.count - 1)).sum(axis=-1)
    products = (sums.residual**2 - sums.squared_residual).sum(axis=-1)
    squares = sums.squared_residual.sum(axis=-1) / sums.count.sum(axis=-1)
    usable = (pairs > 0) & (squares > 0)
    ratio = products / np.where(usable, pairs * squares, 1.0)
    return np.where(usable, np.clip(ratio, 0.0, 1.0), 0.0)


def _satterthwaite(scale: _Floats, share: _Floats, assumed: _Floats) -> _Floats:
    """Return ``tr(DB)^2 / tr(DBDB)``: D is diagonal, B the covariance of the clusters' residual means.

    ``B_cd = a_c [c = d] - s_c a_c - s_d a_d + sum(s^2 a)``, which needs no matrix.
    """
    once = share * assumed
    level = (share * once).sum(axis=-1)
    own = assumed * (1 - share) ** 2 + _of_the_others(share * once)
    apart = level[..., None] - 2 * once
    first, second, third = (np.sum(scale * power, axis=-1) for power in (np.ones_like(once), once, once**2))
    everywhere = level**2 * first**2 + 2 * first * third - 4 * level * first * second + 2 * second**2
    trace = (scale * own).sum(axis=-1)
    return np.asarray(trace**2 / (everywhere + (scale**2 * (own**2 - apart**2)).sum(axis=-1)))


def squared_skewness(part: _Floats) -> _Floats:
    """Return ``(sum e^3)^2 / (sum e^2)^3`` over the last axis, the squared skewness of a sum; 0 without spread."""
    largest = np.abs(part).max(axis=-1, keepdims=True)
    scaled = part / np.where(largest > 0, largest, 1.0)  # cubes of small sums would vanish
    squares = (scaled**2).sum(axis=-1)
    return np.asarray((scaled**3).sum(axis=-1) ** 2 / np.where(squares > 0, squares, 1.0) ** 3)
