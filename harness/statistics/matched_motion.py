"""Two systems compared as if they moved equally much.

Still clips score well on consistency. A system that moves less may be ahead for that alone; what is left of the
difference at equal motion is what it has beyond it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_regression import clustered_coefficient
from anisora.harness.statistics.cluster_variance import two_sided_p
from anisora.harness.statistics.clustered_mean import Estimate, clustered_mean

__all__ = ["MatchedComparison", "matched_motion_difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedComparison:
    """Left minus right over the items of which both have score and motion."""

    unmatched: Estimate
    """Mean difference as it is."""
    at_equal_motion: Estimate
    """Difference that the regression gives where both move equally much."""
    p_value: float | None
    """Two-sided, of no difference at equal motion; None where there is no interval."""
    slope: Estimate | None
    """Difference of scores by unit of difference in motion; None where motion does not differ."""
    motion_difference: Estimate
    """Mean difference of motion."""
    is_extrapolated: bool
    """All items differ in motion to one side: nothing was seen near equal motion."""
    within_caliper: Estimate | None
    """Mean difference over the items whose motion differs by at most the caliper; None without one."""


def matched_motion_difference(
    left: Mapping[str, float],
    right: Mapping[str, float],
    left_motion: Mapping[str, float],
    right_motion: Mapping[str, float],
    clusters: Mapping[str, str],
    level: float = 0.95,
    *,
    caliper: float | None = None,
) -> MatchedComparison:
    """Compare two systems at matched motion.

    The differences of scores are regressed on the differences of motion, ``d = a + b m``; ``a`` is the difference at
    equal motion (analysis of covariance with a covariate of each side, Judd, Kenny and McClelland 2001), with the
    interval of ``clustered_coefficient``. It takes the relation for a straight line; ``within_caliper``, which matches
    items instead, does not, and has fewer of them.

    Args:
        left: {item: finite score}.
        right: The same for the other side.
        left_motion: {item: finite motion}, such as the mean magnitude of the flow.
        right_motion: The same for the other side.
        clusters: {item: cluster} of at least the items all have.
        level: Coverage of the intervals, between 0 and 1.
        caliper: Largest difference of motion that counts as equal, in its unit, at least 0.

    Raises:
        MetricError: No item has all four numbers, one is not finite or out of range, or an item has no cluster.
    """
    if caliper is not None and not caliper >= 0:
        raise MetricError(f"`caliper` got {caliper!r}; expected a number of at least 0.")
    items = sorted(left.keys() & right.keys() & left_motion.keys() & right_motion.keys())
    if not items:
        raise MetricError("No item has a score and a motion on both sides; expected at least one.")
    for item in items:
        if item not in clusters:
            raise MetricError(f"Item {item!r} has no cluster in `clusters`; expected one for every item.")
        numbers = (left[item], right[item], left_motion[item], right_motion[item])
        if not all(map(math.isfinite, numbers)):
            raise MetricError(f"Item {item!r} got {numbers!r}; expected finite numbers.")
    names = [clusters[item] for item in items]
    scores = np.array([left[item] - right[item] for item in items])
    motion = np.array([left_motion[item] - right_motion[item] for item in items])
    unmatched = clustered_mean(scores.tolist(), names, level=level)
    if (motion == 0).all():
        matched, slope = unmatched, None
    elif (motion == motion[0]).all():
        raise MetricError(
            f"Motion differs by {float(motion[0])!r} in every item; expected differences that vary, to see its effect."
        )
    else:
        design = np.stack([np.ones(len(motion)), motion], axis=1)
        matched, slope = (clustered_coefficient(design, scores, names, at, level) for at in (0, 1))
    near = [at for at in range(len(items)) if caliper is not None and abs(motion[at]) <= caliper]
    return MatchedComparison(
        unmatched=unmatched,
        at_equal_motion=matched,
        p_value=_p_value(matched),
        slope=slope,
        motion_difference=clustered_mean(motion.tolist(), names, level=level),
        is_extrapolated=bool((motion > 0).all() or (motion < 0).all()),
        within_caliper=None
        if caliper is None
        else clustered_mean([float(scores[at]) for at in near], [names[at] for at in near], level=level),
    )


def _p_value(estimate: Estimate) -> float | None:
    if estimate.value is None or estimate.standard_error is None or estimate.degrees is None:
        return None
    return two_sided_p(estimate.value, estimate.standard_error, estimate.degrees)
