"""Where the spread of scores comes from: clusters, items within them, seeds within an item."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_bootstrap import BootstrapEstimate, checked_draws, too_few

__all__ = ["VarianceComponents", "design_effect", "two_stage_bootstrap", "variance_components"]

_BLOCK = 2_000_000
_METHOD = "two-stage bootstrap of items and seeds"
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """A one-way decomposition into between and within groups, in squared units of the score."""

    between: float
    """Variance of the true group means; 0 where the estimate is negative."""
    within: float
    """Variance of a value about the mean of its group."""
    intraclass_correlation: float
    """``between / (between + within)``, 0..1; 0 where nothing varies."""
    groups: int
    values: int

    def variance_of_mean(self, groups: int, per_group: int) -> float:
        """Return the variance of a mean over so many groups with so many values each.

        ``between / groups + within / (groups * per_group)``: more seeds of the same items lower the second part alone.

        Raises:
            MetricError: A number is below 1.
        """
        if groups < 1 or per_group < 1:
            raise MetricError(f"`groups` and `per_group` got {groups!r} and {per_group!r}; expected at least 1 each.")
        return self.between / groups + self.within / (groups * per_group)


def variance_components(groups: Mapping[str, Sequence[float]]) -> VarianceComponents | None:
    """Split the variance of values into between and within groups: seeds of items, or items of labels.

    By the analysis of variance of unequal groups (Searle, Casella and McCulloch 1992): ``within`` is the
    mean square within, ``between = (MSB - MSW) / n0`` with ``n0 = (N - sum(n^2) / N) / (G - 1)``.

    Args:
        groups: {group: finite values}, such as {item: score of each seed} or {label: score of each item}.

    Returns:
        None where there are fewer than two groups, or no group has two values.

    Raises:
        MetricError: A group is empty or a number is not finite.

    Example:
        >>> variance_components({"a": [0.0, 2.0], "b": [4.0, 6.0]}).intraclass_correlation
        0.7777777777777778
    """
    _checked(groups)
    total = sum(len(values) for values in groups.values())
    count = len(groups)
    if count < 2 or total == count:
        return None
    mean = math.fsum(value for values in groups.values() for value in values) / total
    means = {name: math.fsum(values) / len(values) for name, values in groups.items()}
    inner = math.fsum((value - means[name]) ** 2 for name, values in groups.items() for value in values)
    outer = math.fsum(len(values) * (means[name] - mean) ** 2 for name, values in groups.items())
    within = inner / (total - count)
    size = (total - math.fsum(len(values) ** 2 for values in groups.values()) / total) / (count - 1)
    between = max(0.0, (outer / (count - 1) - within) / size)
    everything = between + within
    return VarianceComponents(
        between=between,
        within=within,
        intraclass_correlation=between / everything if everything > 0 else 0.0,
        groups=count,
        values=total,
    )


def design_effect(sizes: Sequence[int], intraclass_correlation: float) -> float:
    """Return by how much clusters raise the variance of a mean over that of independent items.

    ``1 + (sum(n^2) / sum(n) - 1) ICC`` (Kish 1965; unequal sizes as in Kish 1987).

    Args:
        sizes: Items of each cluster, at least 1.
        intraclass_correlation: -1..1.

    Raises:
        MetricError: There is no cluster, or a number is out of range.

    Example:
        >>> round(design_effect([20] * 50, 0.1), 2)
        2.9
    """
    if not sizes or min(sizes) < 1:
        raise MetricError(f"`sizes` got {list(sizes)!r}; expected at least one cluster, each of at least 1 item.")
    if not -1 <= intraclass_correlation <= 1:
        raise MetricError(f"`intraclass_correlation` got {intraclass_correlation!r}; expected a number from -1 to 1.")
    return 1 + (math.fsum(size**2 for size in sizes) / sum(sizes) - 1) * intraclass_correlation


def two_stage_bootstrap(
    items: Mapping[str, Sequence[float]], level: float = 0.95, *, draws: int = 10_000, seed: int = 0
) -> BootstrapEstimate:
    """Estimate the mean over items of their mean over seeds, resampling items and then seeds within each.

    Resampling twice as it stands counts the noise of the seeds twice, since the means of items hold it already. Their
    means are therefore drawn toward the overall mean until their variance is the ``between`` part alone, and the
    deviations of seeds are widened by ``1 / sqrt(1 - 1/k)``, after which both stages together have the right variance
    (Davison and Hinkley 1997, section 3.8). The interval is the percentile one with its quantiles widened as in
    ``bootstrap_mean``.

    Items are the independent units here. Where labels cluster them, use ``bootstrap_mean`` of the item means.

    Args:
        items: {item: finite score of each seed}; items may have different numbers of seeds.
        level: Coverage of the interval, between 0 and 1.
        draws: At least 1000.
        seed: Of the draws.

    Returns:
        Without interval, and with a note, below ``BOOTSTRAP_CLUSTERS`` items.

    Raises:
        MetricError: An item has no score, or a number is not finite or out of range.
    """
    _checked(items)
    checked_draws(draws)
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    rows = sorted(sorted(float(value) for value in values) for values in items.values())
    count = len(rows)
    means = np.array([math.fsum(row) / len(row) for row in rows])
    mean = math.fsum(means) / count if count else None
    low = high = error = None
    if mean is not None and not too_few(count):
        from scipy.special import ndtr, stdtrit

        found = mean + _two_stage_deviations(rows, means - mean, draws, seed)
        quantile = math.sqrt(count / (count - 1)) * float(stdtrit(count - 1, 0.5 + level / 2))
        low, high = (float(np.quantile(found, ndtr(side))) for side in (-quantile, quantile))
        error = float(found.std(ddof=1))
    return BootstrapEstimate(
        value=mean,
        standard_error=error,
        low=low,
        high=high,
        level=level,
        method="" if low is None else _METHOD,
        note=too_few(count).replace("cluster", "item"),
        count=sum(len(row) for row in rows),
        clusters=count,
        draws=0 if low is None else draws,
        seed=seed,
    )


def _two_stage_deviations(rows: list[list[float]], deviations: _Floats, draws: int, seed: int) -> _Floats:
    """Return (draws,) resampled means less the mean of the sample."""
    count = len(rows)
    seeds = np.array([len(row) for row in rows])
    noise = np.zeros((count, int(seeds.max())))  # (items, seeds), filled from the left
    for at, row in enumerate(rows):
        if len(row) > 1:
            noise[at, : len(row)] = (np.array(row) - math.fsum(row) / len(row)) / math.sqrt(1 - 1 / len(row))
    # Items of one seed tell nothing of its noise; it stays in their deviation, where it belongs to the total.
    doubled = float((np.sum(noise**2, axis=1) / seeds**2).mean())
    squares = float((deviations**2).sum()) / (count - 1)
    kept = math.sqrt(max(0.0, squares - doubled) / squares * count / (count - 1)) if squares > 0 else 0.0
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // noise.size)
    found = []
    for start in range(0, draws, block):
        size = min(block, draws - start)
        items = generator.integers(0, count, (size, count))
        total = kept * deviations[items]
        for at in range(noise.shape[1]):
            of_item = seeds[items]
            pick = (generator.random((size, count)) * of_item).astype(np.int64)
            total += np.where(at < of_item, noise[items, pick] / of_item, 0.0)
        found.append(total.mean(axis=1))
    return np.concatenate(found)


def _checked(groups: Mapping[str, Sequence[float]]) -> None:
    for name, values in groups.items():
        if not len(values):
            raise MetricError(f"`{name}` has no values; expected at least one. Leave it out if that is meant.")
        for value in values:
            if not math.isfinite(value):
                raise MetricError(f"`{name}` got {float(value)!r}; expected finite numbers.")
