"""How large a difference between two systems is, apart from how sure, and McNemar's test for yes and no."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from anisora.harness.errors import MetricError
from anisora.harness.statistics.clustered_mean import Estimate
from anisora.harness.statistics.proportion import clustered_proportion

__all__ = ["EffectSizes", "McNemar", "effect_sizes", "mcnemar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSizes:
    """Sizes of a paired difference, over the shared items."""

    paired_d: float | None
    """Mean over standard deviation of the differences, Cohen's d_z; None below two items or without spread."""
    win_rate: Estimate
    """Share of items where left is greater, a tie counting half, 0..1; with its interval."""
    superiority: float | None
    """Chance that any item of left is greater than any of right, ties half (Vargha and Delaney 2000)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's exact test of two shares."""

    only_left: int
    """Items that left alone passes."""
    only_right: int
    both: int
    neither: int
    p_value: float
    """Two-sided; 1 where no item differs."""


def effect_sizes(
    left: Mapping[str, float], right: Mapping[str, float], clusters: Mapping[str, str], level: float = 0.95
) -> EffectSizes:
    """Compute the sizes of a paired difference.

    Args:
        left: {item: finite value}.
        right: The same for the other side.
        clusters: {item: cluster} of at least the items both have.
        level: Coverage of the interval of the win rate, between 0 and 1.

    Raises:
        MetricError: A number is not finite, or a shared item has no cluster.
    """
    shared = sorted(left.keys() & right.keys())
    for item in shared:
        if item not in clusters:
            raise MetricError(f"Item {item!r} has no cluster in `clusters`; expected one for every item.")
        if not (math.isfinite(left[item]) and math.isfinite(right[item])):
            raise MetricError(f"Item {item!r} got {left[item]!r} and {right[item]!r}; expected finite numbers.")
    differences = [left[item] - right[item] for item in shared]
    wins = [0.5 + ((difference > 0) - (difference < 0)) / 2 for difference in differences]
    return EffectSizes(
        paired_d=_standardised(differences),
        win_rate=clustered_proportion(wins, [clusters[item] for item in shared], level=level),
        superiority=_superiority([left[item] for item in shared], [right[item] for item in shared]),
    )


def mcnemar(left: Mapping[str, float], right: Mapping[str, float]) -> McNemar:
    """Test two shares of the same items by the items on which they differ (McNemar 1947, exact binomial).

    It takes items for independent: with clusters of similar items use ``sign_flip_test``.

    Args:
        left: {item: 0 or 1}.
        right: The same for the other side; items of one side only are left out.

    Raises:
        MetricError: A value is neither 0 nor 1.

    Example:
        >>> mcnemar({"a": 1, "b": 1, "c": 0}, {"a": 0, "b": 1, "c": 0}).p_value
        1.0
    """
    shared = sorted(left.keys() & right.keys())
    for item in shared:
        if left[item] not in (0, 1) or right[item] not in (0, 1):
            raise MetricError(f"Item {item!r} got {left[item]!r} and {right[item]!r}; expected 0 or 1.")
    table = [(int(left[item]), int(right[item])) for item in shared]
    one, other = table.count((1, 0)), table.count((0, 1))
    p_value = 1.0
    if one + other:
        from scipy.stats import binomtest

        p_value = float(binomtest(one, one + other).pvalue)
    return McNemar(
        only_left=one, only_right=other, both=table.count((1, 1)), neither=table.count((0, 0)), p_value=p_value
    )


def _standardised(differences: list[float]) -> float | None:
    count = len(differences)
    if count < 2 or min(differences) == max(differences):
        return None
    mean = math.fsum(differences) / count
    return mean / math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (count - 1))


def _superiority(left: list[float], right: list[float]) -> float | None:
    if not left:
        return None
    from scipy.stats import rankdata

    ranks = rankdata(left + right)[: len(left)]
    return float((math.fsum(ranks) - len(left) * (len(left) + 1) / 2) / (len(left) * len(right)))
