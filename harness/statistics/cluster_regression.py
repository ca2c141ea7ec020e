"""One coefficient of a linear regression over items that come in clusters."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import SKEWNESS_COST, squared_skewness, t_quantile
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS, Estimate

__all__ = ["clustered_coefficient"]

_METHOD = "clustered t of a regression"
_Floats = NDArray[np.float64]


def clustered_coefficient(
    design: _Floats, response: _Floats, clusters: Sequence[str], which: int, level: float = 0.95
) -> Estimate:
    """Estimate one coefficient of ordinary least squares with a cluster-robust interval.

    The variance is CR2 (Bell and McCaffrey 2002): residuals of a cluster are multiplied by ``(I - H_gg)^(-1/2)``. The
    degrees of freedom are Satterthwaite's for items that correlate within clusters as the residuals do (Imbens and
    Kolesár 2016), lowered for skewness as in ``cluster_variance``, which this equals where the only column
    is constant.

    Args:
        design: (items, columns) of full rank, with an intercept where one is meant.
        response: (items,).
        clusters: The cluster of each item.
        which: Column whose coefficient is wanted.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        MetricError: Lengths differ, a number is not finite or out of range, or the design is not of full rank.
    """
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    if not len(design) == len(response) == len(clusters):
        raise MetricError(
            f"Got {len(design)} rows, {len(response)} responses and {len(clusters)} clusters; expected one an item."
        )
    if not (np.isfinite(design).all() and np.isfinite(response).all()):
        raise MetricError("`design` or `response` got a number that is not finite; leave out such items.")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise MetricError(
            f"`design` of {len(design)} items has dependent columns; expected more items or columns that vary."
        )
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ response
    groups = sorted(set(clusters))
    estimate = Estimate(
        value=float(coefficients[which]),
        standard_error=None,
        low=None,
        high=None,
        level=level,
        method="",
        note=f"{len(groups)} cluster{'' if len(groups) == 1 else 's'}; an interval needs {MIN_CLUSTERS}",
        count=len(response),
        clusters=len(groups),
    )
    if len(groups) < MIN_CLUSTERS:
        return estimate
    names = np.array(clusters)
    members = [np.flatnonzero(names == group) for group in groups]
    error, degrees = _error(design, response - design @ coefficients, members, inverse[which])
    half = t_quantile(level, degrees) * error
    return replace(
        estimate,
        standard_error=error,
        low=estimate.value - half if estimate.value is not None else None,
        high=estimate.value + half if estimate.value is not None else None,
        method=_METHOD,
        note="",
        degrees=degrees,
    )


def _error(design: _Floats, residuals: _Floats, members: list[NDArray[np.int64]], row: _Floats) -> tuple[float, float]:
    """Return standard error and degrees of freedom of the combination ``row @ design.T @ response``."""
    inverse = np.linalg.inv(design.T @ design)
    parts, plain = np.zeros(len(members)), np.zeros(len(members))
    loadings = np.zeros((len(residuals), len(members)))
    for at, member in enumerate(members):
        own = design[member]
        values, vectors = np.linalg.eigh(np.eye(len(member)) - own @ inverse @ own.T)
        is_kept = values > 1e-10
        root = np.where(is_kept, 1 / np.sqrt(np.where(is_kept, values, 1.0)), 0.0)
        weights = vectors @ (root * (vectors.T @ (own @ row)))
        parts[at], plain[at] = weights @ residuals[member], own @ row @ residuals[member]
        loadings[member, at] += weights
        loadings[:, at] -= design @ (inverse @ (own.T @ weights))
    correlation = _intraclass_correlation(residuals, members)
    by_cluster = np.array([loadings[member].sum(axis=0) for member in members])
    covariance = (1 - correlation) * loadings.T @ loadings + correlation * by_cluster.T @ by_cluster
    degrees = np.trace(covariance) ** 2 / (covariance**2).sum()
    return float(np.sqrt((parts**2).sum())), float(1 / (1 / degrees + SKEWNESS_COST * squared_skewness(plain)))


def _intraclass_correlation(residuals: _Floats, members: list[NDArray[np.int64]]) -> float:
    pairs = sum(len(member) * (len(member) - 1) for member in members)
    squares = float((residuals**2).sum())
    if not pairs or squares == 0:
        return 0.0
    products = sum(float(residuals[member].sum() ** 2) for member in members) - squares
    return min(1.0, max(0.0, products / pairs / (squares / len(residuals))))
