"""How far two numberings of the same things lie on a line: Pearson's correlation, exact p values for few."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from anisora.harness.statistics.rank_correlation import (
    EXACT_ITEMS,
    MONTE_CARLO_ITEMS,
    is_constant,
    orders_of,
    paired_values,
    without_value_note,
)

__all__ = ["LinearCorrelation", "pearson"]

_SAME: Final = 1e-12
"""Sums of products that differ by less, in units of the largest possible one, are equal but for rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearCorrelation:
    """A linear correlation with its p value. What could not be computed is None, and ``note`` says why."""

    value: float | None
    """-1 to 1; None below two items or where one side is constant."""
    p_value: float | None
    """Two-sided, of no association."""
    method: str
    """How the p value was made; empty where there is none."""
    note: str
    """Why there is no value; empty where there is one."""
    count: int
    """Items that entered."""


def pearson(left: Sequence[float], right: Sequence[float]) -> LinearCorrelation:
    """Compute Pearson's correlation.

    The p value is made as that of ``spearman``: the share of all orders of one side whose ``|r|`` is at least the one
    found, over every order up to ``EXACT_ITEMS`` items, over seeded draws up to ``MONTE_CARLO_ITEMS``, and by Student's
    t above.

    Args:
        left: One finite number an item.
        right: The same of the other side, in the same order of items.

    Raises:
        MetricError: Lengths differ, or a number is not finite.

    Example:
        >>> round(pearson([1, 2, 3], [2, 4, 6]).value, 12)
        1.0
    """
    x, y = paired_values(left, right)
    if len(x) < 2 or is_constant(x) or is_constant(y):
        note = without_value_note(x, y, "correlation")
        return LinearCorrelation(value=None, p_value=None, method="", note=note, count=len(x))
    a, b = x - x.mean(), y - y.mean()
    largest = float(np.sqrt((a @ a) * (b @ b)))
    value = min(1.0, max(-1.0, float(a @ b) / largest))
    if len(x) > MONTE_CARLO_ITEMS:
        from scipy.stats import pearsonr

        p_value, method = float(pearsonr(x, y).pvalue), f"by Student's t with {len(x) - 2} degrees of freedom"
    else:
        orders = orders_of(len(x))
        extreme = int((np.abs(b[orders] @ a) >= abs(float(a @ b)) - _SAME * largest).sum())
        if len(x) <= EXACT_ITEMS:
            p_value, method = extreme / len(orders), f"exact over all {len(orders)} orders"
        else:
            p_value, method = (extreme + 1) / (len(orders) + 1), f"over {len(orders)} random orders"
    return LinearCorrelation(value=value, p_value=p_value, method=method, note="", count=len(x))
