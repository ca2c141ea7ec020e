"""Two systems item by item."""

from collections.abc import Mapping
from dataclasses import dataclass

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import two_sided_p
from anisora.harness.statistics.clustered_mean import Estimate, clustered_mean

__all__ = ["PairedDifference", "paired_difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Left minus right over the items that both have."""

    estimate: Estimate
    p_value: float | None
    """Two-sided, of no difference in the mean; None where there is no interval."""
    wins: int
    """Items where left is greater."""
    losses: int
    ties: int
    only_left: int
    """Items that right does not have; they are reported and left out, never imputed."""
    only_right: int

    @property
    def items(self) -> int:
        """Items that both have."""
        return self.estimate.count


def paired_difference(
    left: Mapping[str, float],
    right: Mapping[str, float],
    clusters: Mapping[str, str],
    level: float = 0.95,
) -> PairedDifference:
    """Compare two systems item by item.

    Items that only one side has are counted and left out. The interval and the p value (two-sided
    cluster-robust t) are those of ``clustered_mean`` of the differences.

    Args:
        left: {item: finite value}.
        right: The same for the other side.
        clusters: {item: cluster} of at least the items both have.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        MetricError: A number is not finite, or a shared item has no cluster.
    """
    shared = sorted(left.keys() & right.keys())
    unknown = next((item for item in shared if item not in clusters), None)
    if unknown is not None:
        raise MetricError(f"Item {unknown!r} has no cluster in `clusters`; expected one for every item.")
    differences = [left[item] - right[item] for item in shared]
    estimate = clustered_mean(differences, [clusters[item] for item in shared], level=level)
    return PairedDifference(
        estimate=estimate,
        p_value=_two_sided_p(estimate),
        wins=sum(difference > 0 for difference in differences),
        losses=sum(difference < 0 for difference in differences),
        ties=sum(difference == 0 for difference in differences),
        only_left=len(left) - len(shared),
        only_right=len(right) - len(shared),
    )


def _two_sided_p(estimate: Estimate) -> float | None:
    """Return the p value of a mean of zero, where there is an interval."""
    if estimate.value is None or estimate.standard_error is None or estimate.degrees is None:
        return None
    return two_sided_p(estimate.value, estimate.standard_error, estimate.degrees)
