"""How small a difference a comparison can find, and how many items it needs for one."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import SKEWNESS_COST, degrees_of_sizes, t_quantile
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS
from anisora.harness.statistics.variance_components import design_effect, variance_components

__all__ = ["PairedPower", "items_needed", "minimum_detectable_effect", "paired_power", "power_at"]

_MOST_ITEMS: Final = 10_000_000
_ROUNDING: Final = 1e-13
"""A spread of differences below this share of the scores is that of their last digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedPower:
    """What a comparison of two systems could have found."""

    minimum_detectable_effect: float | None
    """Smallest true mean difference that is found with probability ``power``, in the unit of the scores."""
    standard_deviation: float | None
    """Of the differences of items."""
    intraclass_correlation: float | None
    """Of the differences within a cluster, 0..1; None where no cluster has two items."""
    design_effect: float | None
    items: int
    clusters: int
    power: float
    level: float
    note: str
    """Why there is no figure; empty where there is one."""


def power_at(
    gap: float,
    standard_deviation: float,
    items: int,
    clusters: int,
    *,
    design_effect: float = 1.0,
    degrees: float | None = None,
    level: float = 0.95,
) -> float:
    """Return how likely a paired comparison finds a true mean difference.

    The probability that Student's noncentral t with these degrees of freedom and noncentrality
    ``gap / (sd sqrt(deff / n))`` is beyond the two-sided quantile. The quantile is that of ``clustered_mean``, with the
    degrees of freedom that normally distributed clusters cost it on average through their chance skewness, whose
    variance is ``6 (G - 2) / ((G + 1) (G + 3))``.

    Args:
        gap: True mean difference, in the unit of the scores.
        standard_deviation: Of the differences of items, above 0.
        items: At least 1.
        clusters: At least ``MIN_CLUSTERS``; the items where they are independent.
        design_effect: By how much clusters raise the variance, above 0.
        degrees: Degrees of freedom, above 0; ``G - 1`` when left out, which is too many where the sizes of few clusters
            differ: then ``degrees_of_sizes``.
        level: 1 less the error of the two-sided test.

    Returns:
        0..1.

    Raises:
        MetricError: A number is out of range.

    Example:
        >>> round(power_at(0.0045, 0.05, 948, 948), 2)
        0.79
    """
    from scipy.stats import nct

    _check(items=items, clusters=clusters, sd=standard_deviation, design_effect=design_effect, level=level)
    if degrees is not None and not degrees > 0:
        raise MetricError(f"`degrees` got {degrees!r}; expected a number above 0.")
    if not math.isfinite(gap):
        raise MetricError(f"`gap` got {gap!r}; expected a finite number.")
    away = abs(gap) / (standard_deviation * math.sqrt(design_effect / items))
    if away > 40:  # the distribution functions of scipy lose their digits where nothing is in doubt
        return 1.0
    if degrees is None:
        degrees = clusters - 1
    chance = 6 * (clusters - 2) / ((clusters + 1) * (clusters + 3))  # squared skewness of normal samples, on average
    quantile = t_quantile(level, 1 / (1 / degrees + SKEWNESS_COST * chance / clusters))
    return min(1.0, float(nct.sf(quantile, degrees, away) + nct.cdf(-quantile, degrees, away)))


def minimum_detectable_effect(
    standard_deviation: float,
    items: int,
    clusters: int,
    *,
    design_effect: float = 1.0,
    degrees: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> float:
    """Return the smallest true mean difference that a paired comparison finds with a probability: ``power_at`` solved.

    For many clusters it is ``2.80 sd sqrt(deff / n)`` at 80 % power and 95 % level.

    Args:
        standard_deviation: Of the differences of items, above 0.
        items: At least 1.
        clusters: At least ``MIN_CLUSTERS``.
        design_effect: By how much clusters raise the variance, above 0.
        degrees: Degrees of freedom, above 0; ``G - 1`` when left out, which is too many where the sizes of few clusters
            differ: then ``degrees_of_sizes``.
        power: Above ``1 - level`` and below 1.
        level: 1 less the error of the two-sided test.

    Returns:
        In the unit of the scores.

    Raises:
        MetricError: A number is out of range.

    Example:
        >>> round(minimum_detectable_effect(0.05, 948, 948), 4)
        0.0046
    """
    from scipy.optimize import brentq

    _check(items=items, clusters=clusters, sd=standard_deviation, design_effect=design_effect, level=level)
    if not 1 - level < power < 1:
        raise MetricError(f"`power` got {power!r}; expected a number above {1 - level:g} and below 1.")
    error = standard_deviation * math.sqrt(design_effect / items)

    def missing(away: float) -> float:
        return power_at(away, 1.0, 1, clusters, degrees=degrees, level=level) - power

    return error * float(brentq(missing, 0.0, 39.0))


def items_needed(
    gap: float,
    standard_deviation: float,
    *,
    items_per_cluster: float = 1.0,
    intraclass_correlation: float = 0.0,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """Return how many items a paired comparison needs to find a true mean difference with a probability.

    Clusters grow with the items: ``G = n / m``, and the design effect is ``1 + (m - 1) ICC``.

    Args:
        gap: True mean difference, not 0, in the unit of the scores.
        standard_deviation: Of the differences of items, above 0.
        items_per_cluster: ``m``, at least 1.
        intraclass_correlation: Of the differences within a cluster, 0..1.
        power: Above ``1 - level`` and below 1.
        level: 1 less the error of the two-sided test.

    Returns:
        The smallest number of whole clusters, in items.

    Raises:
        MetricError: A number is out of range, or ten million items do not suffice.

    Example:
        >>> items_needed(0.014, 0.05)
        103
    """
    if gap == 0 or not math.isfinite(gap):
        raise MetricError(f"`gap` got {gap!r}; expected a number other than 0.")
    if not items_per_cluster >= 1:
        raise MetricError(f"`items_per_cluster` got {items_per_cluster!r}; expected at least 1.")
    if not 0 <= intraclass_correlation <= 1:
        raise MetricError(f"`intraclass_correlation` got {intraclass_correlation!r}; expected a number from 0 to 1.")
    effect = 1 + (items_per_cluster - 1) * intraclass_correlation

    def suffices(clusters: int) -> bool:
        items = math.ceil(clusters * items_per_cluster)
        least = minimum_detectable_effect(
            standard_deviation, items, clusters, design_effect=effect, power=power, level=level
        )
        return least <= abs(gap)

    low, high = MIN_CLUSTERS - 1, MIN_CLUSTERS
    while not suffices(high):
        low, high = high, high * 2
        if high * items_per_cluster > _MOST_ITEMS:
            raise MetricError(f"`gap` got {gap!r}: more than {_MOST_ITEMS} items are needed; expected a larger one.")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return math.ceil(high * items_per_cluster)


def paired_power(
    left: Mapping[str, float],
    right: Mapping[str, float],
    clusters: Mapping[str, str],
    *,
    power: float = 0.8,
    level: float = 0.95,
) -> PairedPower:
    """Return the smallest difference that a comparison of two systems can find, from the spread of their differences.

    It says what the number of items allows, whatever was found: not the power of the gap that was seen.

    Args:
        left: {item: finite value}.
        right: The same for the other side.
        clusters: {item: cluster} of at least the items both have.
        power: Above ``1 - level`` and below 1.
        level: 1 less the error of the two-sided test.

    Raises:
        MetricError: A number is not finite or out of range, or a shared item has no cluster.
    """
    shared = sorted(left.keys() & right.keys())
    unknown = next((item for item in shared if item not in clusters), None)
    if unknown is not None:
        raise MetricError(f"Item {unknown!r} has no cluster in `clusters`; expected one for every item.")
    members: dict[str, list[float]] = {}
    for item in shared:
        members.setdefault(clusters[item], []).append(left[item] - right[item])
    parts = variance_components(members)
    deviation = _standard_deviation([value for values in members.values() for value in values])
    effect = degrees = None
    if len(members) > 1:
        correlation = 0.0 if parts is None else parts.intraclass_correlation
        sizes = Counter(clusters[item] for item in shared)
        effect = design_effect(list(sizes.values()), correlation)
        degrees = degrees_of_sizes(list(sizes.values()), correlation)
    note = ""
    if len(members) < MIN_CLUSTERS:
        note = f"{len(members)} cluster{'' if len(members) == 1 else 's'}; an interval needs {MIN_CLUSTERS}"
    elif deviation is not None and deviation <= _ROUNDING * max(
        abs(side[at]) for side in (left, right) for at in shared
    ):
        note = "all differences are equal"
    least = None
    if not note and deviation is not None and effect is not None:
        least = minimum_detectable_effect(
            deviation,
            len(shared),
            len(members),
            design_effect=effect,
            degrees=degrees,
            power=power,
            level=level,
        )
    return PairedPower(
        minimum_detectable_effect=least,
        standard_deviation=deviation,
        intraclass_correlation=None if parts is None else parts.intraclass_correlation,
        design_effect=effect,
        items=len(shared),
        clusters=len(members),
        power=power,
        level=level,
        note=note,
    )


def _standard_deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _check(*, items: int, clusters: int, sd: float, design_effect: float, level: float) -> None:
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    if items < 1:
        raise MetricError(f"`items` got {items!r}; expected at least 1.")
    if clusters < MIN_CLUSTERS:
        raise MetricError(f"`clusters` got {clusters!r}; expected at least {MIN_CLUSTERS}, as every test.")
    if not (math.isfinite(sd) and sd > 0):
        raise MetricError(f"`standard_deviation` got {sd!r}; expected a finite number above 0.")
    if not (math.isfinite(design_effect) and design_effect > 0):
        raise MetricError(f"`design_effect` got {design_effect!r}; expected a finite number above 0.")
