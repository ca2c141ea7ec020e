"""How far two numberings of the same things agree in order: rank correlations and the accuracy over pairs.

Pure functions, for six systems as well as for a thousand clips. The p values are two-sided, of no association. They are
exact for few things, where approximations mislead most: of six systems not even perfect agreement has a p below 0.0028.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError

__all__ = [
    "DRAWS",
    "EXACT_ITEMS",
    "MONTE_CARLO_ITEMS",
    "PairwiseAccuracy",
    "RankCorrelation",
    "calibrated_pairwise_accuracy",
    "calibrated_preference_accuracy",
    "is_constant",
    "kendall",
    "orders_of",
    "paired_values",
    "pairwise_accuracy",
    "preference_accuracy",
    "smallest_exact_p",
    "spearman",
    "without_value_note",
]

EXACT_ITEMS: Final = 8
"""Up to this number of items all orders are counted (40,320 of eight)."""
MONTE_CARLO_ITEMS: Final = 100
"""Up to this number of items orders are drawn; above it, the approximation for large samples is good enough."""
DRAWS: Final = 9_999
"""Orders that are drawn; the smallest p value is then 0.0001."""

_SEED: Final = 0
_MOST_CELLS: Final = 2_000_000
"""Numbers held at a time while permuted statistics are computed, in blocks of orders."""

_Integers = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """A rank correlation with its p value. What could not be computed is None, and ``note`` says why."""

    value: float | None
    """-1 (opposite order) to 1 (the same order); None below two items or where one side is constant."""
    p_value: float | None
    """Two-sided, of no association."""
    method: str
    """How the p value was made; empty where there is none."""
    note: str
    """Why there is no value; empty where there is one."""
    count: int
    """Items that entered."""


def spearman(left: Sequence[float], right: Sequence[float]) -> RankCorrelation:
    """Compute Spearman's rank correlation.

    ``rho`` is Pearson's correlation of the ranks; equal values share the mean of their ranks. The p value is the
    share of all orders of one side whose ``|rho|`` is at least the one found: over every order up to ``EXACT_ITEMS``
    items, over ``DRAWS`` seeded draws with one added to both counts up to ``MONTE_CARLO_ITEMS``, and by Student's t
    with ``n - 2`` degrees of freedom above. It does not depend on the order of the items.

    Args:
        left: One finite number an item.
        right: The same of the other side, in the same order of items.

    Raises:
        MetricError: Lengths differ, or a number is not finite.

    Example:
        >>> spearman([1, 2, 3, 4, 5, 6], [10, 20, 30, 40, 50, 60]).value
        1.0
    """
    x, y = paired_values(left, right)
    if len(x) < 2 or is_constant(x) or is_constant(y):
        return _without_value(x, y)
    a, b = _centred_ranks(x), _centred_ranks(y)
    value = int(a @ b) / math.sqrt(int(a @ a) * int(b @ b))
    if len(x) > MONTE_CARLO_ITEMS:
        from scipy.stats import spearmanr

        p_value, method = float(spearmanr(x, y).pvalue), f"by Student's t with {len(x) - 2} degrees of freedom"
    else:
        p_value, method = _permuted_p(lambda orders: b[orders] @ a, len(x), cells=len(x))
    return RankCorrelation(value=value, p_value=p_value, method=method, note="", count=len(x))


def kendall(left: Sequence[float], right: Sequence[float]) -> RankCorrelation:
    """Compute Kendall's rank correlation with his correction for ties, tau-b.

    ``tau_b = (C - D) / sqrt((P - T_left) (P - T_right))`` over the P pairs of items: C in the same order on both sides,
    D in the opposite one, T equal on one side. The p value is made as that of ``spearman``; above
    ``MONTE_CARLO_ITEMS`` by the normal approximation with ties.

    Args:
        left: One finite number an item.
        right: The same of the other side, in the same order of items.

    Raises:
        MetricError: Lengths differ, or a number is not finite.

    Example:
        >>> kendall([1, 2, 3, 4], [1, 2, 4, 3]).value
        0.6666666666666666
    """
    x, y = paired_values(left, right)
    if len(x) < 2 or is_constant(x) or is_constant(y):
        return _without_value(x, y)
    if len(x) > MONTE_CARLO_ITEMS:  # a table of all pairs would need memory of the square of the items
        from scipy.stats import kendalltau

        found = kendalltau(x, y, method="asymptotic")
        return RankCorrelation(
            value=float(found.statistic),
            p_value=float(found.pvalue),
            method="by the normal approximation",
            note="",
            count=len(x),
        )
    first, second = np.triu_indices(len(x), 1)
    signs = np.sign(y[:, None] - y[None, :]).astype(np.int8)  # (items, items)
    a = np.sign(x[first] - x[second]).astype(np.int64)  # (pairs,)
    untied = int(np.abs(a).sum()) * int(np.abs(signs[first, second]).sum())
    value = int(signs[first, second] @ a) / math.sqrt(untied)
    p_value, method = _permuted_p(
        lambda orders: signs[orders[:, first], orders[:, second]] @ a, len(x), cells=len(first)
    )
    return RankCorrelation(value=value, p_value=p_value, method=method, note="", count=len(x))


def smallest_exact_p(count: int) -> float:
    """Return the smallest two-sided p value that a rank correlation of so many untied items can have.

    Two of the ``n!`` orders agree perfectly, one of them in the opposite direction: ``2 / n!``.

    Example:
        >>> round(smallest_exact_p(6), 4)
        0.0028
    """
    return min(1.0, 2 / math.factorial(count))


def paired_values(left: Sequence[float], right: Sequence[float]) -> tuple[_Floats, _Floats]:
    """Return both sides as arrays, items sorted, so that their order cannot change a drawn p value."""
    if len(left) != len(right):
        raise MetricError(
            f"`left` has {len(left)} values and `right` {len(right)}; expected one of each an item; leave out items "
            "that one side does not have."
        )
    x, y = np.asarray(left, np.float64), np.asarray(right, np.float64)
    for name, values in (("left", x), ("right", y)):
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise MetricError(
                f"`{name}[{at}]` got {float(values[at])!r}; expected a finite number; leave out items without one."
            )
    order = np.lexsort((y, x))
    return x[order], y[order]


def is_constant(values: _Floats) -> bool:
    """Return whether all of at least one number are equal."""
    return bool((values == values[0]).all())


def without_value_note(x: _Floats, y: _Floats, kind: str = "rank correlation") -> str:
    """Return why two sides, too short or one of them constant, have no correlation."""
    if len(x) < 2:
        return f"{len(x)} item{'' if len(x) == 1 else 's'}; a {kind} needs 2"
    sides = [name for name, values in (("left", x), ("right", y)) if is_constant(values)]
    return f"all values of the {' and the '.join(sides)} side are equal"


def _without_value(x: _Floats, y: _Floats) -> RankCorrelation:
    return RankCorrelation(value=None, p_value=None, method="", note=without_value_note(x, y), count=len(x))


def _centred_ranks(values: _Floats) -> _Integers:
    """Return twice the ranks, less their mean: whole numbers, so that equal statistics are equal exactly."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    doubled = 2 * np.cumsum(counts) - counts + 1
    return (doubled[where] - (len(values) + 1)).astype(np.int64)


def _permuted_p(statistic: Callable[[_Integers], _Integers], items: int, *, cells: int) -> tuple[float, str]:
    """Return the two-sided p value of a statistic under permutation, and how it was made.

    Args:
        statistic: From (orders, items) to one whole number an order.
        items: How many there are.
        cells: Numbers that one order needs in memory.
    """
    found = abs(int(statistic(np.arange(items)[None, :])[0]))
    is_exact = items <= EXACT_ITEMS
    orders = orders_of(items)
    blocks = np.array_split(orders, -(-len(orders) * cells // _MOST_CELLS))
    extreme = sum(int((np.abs(statistic(block)) >= found).sum()) for block in blocks)
    if is_exact:
        return extreme / len(orders), f"exact over all {len(orders)} orders"
    return (extreme + 1) / (len(orders) + 1), f"over {len(orders)} random orders"


def orders_of(items: int) -> _Integers:
    """Return (orders, items): every order up to ``EXACT_ITEMS`` items, ``DRAWS`` seeded draws above."""
    return _all_orders(items) if items <= EXACT_ITEMS else _drawn_orders(items)


@cache
def _all_orders(items: int) -> _Integers:
    """Return (items!, items) every order of the items."""
    orders = np.array(list(permutations(range(items))), np.int64)
    orders.setflags(write=False)
    return orders


def _drawn_orders(items: int) -> _Integers:
    rows = np.tile(np.arange(items, dtype=np.int64), (DRAWS, 1))
    return np.random.default_rng(_SEED).permuted(rows, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseAccuracy:
    """In how many pairs of items a metric says what people say.

    Each pair is in one of five counts. A metric calls a tie what differs by ``tie_threshold`` or less.
    """

    concordant: int
    """Both prefer the same item."""
    discordant: int
    """They prefer different ones."""
    tied_by_people: int
    """Equal to people alone."""
    tied_by_metric: int
    """Equal to the metric alone."""
    tied_by_both: int
    tie_threshold: float
    """In the unit of the metric."""

    @property
    def pairs(self) -> int:
        """All pairs of items."""
        return self.concordant + self.discordant + self.tied_by_people + self.tied_by_metric + self.tied_by_both

    @property
    def without_ties(self) -> float | None:
        """Share of concordant pairs among those that people tell apart; a tie of the metric is a miss.

        None where people tell no pair apart. Without any tie this is ``(tau + 1) / 2``.
        """
        told_apart = self.concordant + self.discordant + self.tied_by_metric
        return self.concordant / told_apart if told_apart else None

    @property
    def with_ties(self) -> float | None:
        """Share of all pairs in which both say the same, a tie being something to say: ``acc_eq``.

        From Deutsch, Foster and Freitag 2023 (arXiv 2305.14324). None where there is no pair.
        """
        return (self.concordant + self.tied_by_both) / self.pairs if self.pairs else None


def pairwise_accuracy(
    people: Sequence[float], metric: Sequence[float], *, tie_threshold: float = 0.0
) -> PairwiseAccuracy:
    """Count the pairs of items that a metric orders as people do.

    Memory grows with the square of the items.

    Args:
        people: One finite number an item, greater for better.
        metric: The same of the metric, greater for better.
        tie_threshold: The metric calls a tie what differs by this or less, in its own unit; at least 0.

    Raises:
        MetricError: Lengths differ, a number is not finite, or the threshold is below 0.

    Example:
        >>> pairwise_accuracy([1, 2, 3], [1, 3, 2]).without_ties
        0.6666666666666666
    """
    if not (math.isfinite(tie_threshold) and tie_threshold >= 0):
        raise MetricError(f"`tie_threshold` got {tie_threshold!r}; expected a finite number of at least 0.")
    told, differences = _pairs(people, metric)
    return _counted(told, differences, tie_threshold)


def calibrated_pairwise_accuracy(people: Sequence[float], metric: Sequence[float]) -> PairwiseAccuracy:
    """Count pairs with the tie threshold that makes ``with_ties`` largest.

    Metrics hardly ever give two items one number, so that without a threshold every tie of people counts against them.
    This is the tie calibration of Deutsch, Foster and Freitag 2023 (arXiv 2305.14324) over all pairs, not
    grouped: each difference between two scores is tried as threshold, and zero; of equally good ones the smallest is
    taken. The threshold is fitted to these very pairs: take one fitted on other data to judge a metric by.

    Args:
        people: One finite number an item, greater for better.
        metric: The same of the metric, greater for better.

    Raises:
        MetricError: Lengths differ, or a number is not finite.

    Example:
        >>> calibrated_pairwise_accuracy([1, 1, 2], [0.50, 0.51, 0.90]).with_ties
        1.0
    """
    told, differences = _pairs(people, metric)
    return _counted(told, differences, _calibrated(told, differences))


def preference_accuracy(
    preferences: Sequence[int], differences: Sequence[float], *, tie_threshold: float = 0.0
) -> PairwiseAccuracy:
    """Count in how many judged pairs a metric prefers what people prefer.

    For data of chosen pairs, such as VideoGen-RewardBench (Liu et al. 2025, arXiv 2501.13918), where no item has a
    score of its own. ``without_ties`` leaves out the pairs that people call ties, as its "accuracy without ties" does;
    ``with_ties`` counts three answers, as its "accuracy with ties" does, for which it calibrates the threshold.

    Args:
        preferences: 1 where people prefer the first of a pair, -1 the second, 0 for a tie.
        differences: Finite score of the first less that of the second.
        tie_threshold: The metric calls a tie what differs by this or less, in its own unit; at least 0.

    Raises:
        MetricError: Lengths differ, a preference is none of these, a number is not finite, or the threshold is below 0.

    Example:
        >>> preference_accuracy([1, -1, 0], [0.5, -0.1, 0.05], tie_threshold=0.1).with_ties
        0.6666666666666666
    """
    if not (math.isfinite(tie_threshold) and tie_threshold >= 0):
        raise MetricError(f"`tie_threshold` got {tie_threshold!r}; expected a finite number of at least 0.")
    told, found = _judged(preferences, differences)
    return _counted(told, found, tie_threshold)


def calibrated_preference_accuracy(preferences: Sequence[int], differences: Sequence[float]) -> PairwiseAccuracy:
    """Count judged pairs with the tie threshold that makes ``with_ties`` largest.

    The threshold is found as by ``calibrated_pairwise_accuracy`` and is fitted to these very pairs as well.

    Args:
        preferences: 1 where people prefer the first of a pair, -1 the second, 0 for a tie.
        differences: Finite score of the first less that of the second.

    Raises:
        MetricError: Lengths differ, a preference is none of these, or a number is not finite.

    Example:
        >>> calibrated_preference_accuracy([1, -1, 0], [0.5, -0.1, 0.05]).with_ties
        1.0
    """
    told, found = _judged(preferences, differences)
    return _counted(told, found, _calibrated(told, found))


def _judged(preferences: Sequence[int], differences: Sequence[float]) -> tuple[_Integers, _Floats]:
    if len(preferences) != len(differences):
        raise MetricError(
            f"`preferences` has {len(preferences)} values and `differences` {len(differences)}; expected one a pair."
        )
    for at, (preference, difference) in enumerate(zip(preferences, differences, strict=True)):
        if preference not in (-1, 0, 1):
            raise MetricError(f"`preferences[{at}]` got {preference!r}; expected 1, -1 or 0.")
        if not math.isfinite(difference):
            raise MetricError(f"`differences[{at}]` got {float(difference)!r}; expected a finite number.")
    return np.asarray(preferences, np.int64), np.asarray(differences, np.float64)


def _calibrated(told: _Integers, differences: _Floats) -> float:
    """Return the smallest threshold for which most pairs agree, ties included."""
    sizes = np.abs(differences)
    order = np.argsort(sizes, kind="stable")
    # What one more tie changes: it becomes right where people tie, and stops being right where both agreed.
    gains = np.where(told == 0, 1, np.where(np.sign(differences) == told, -1, 0))[order]
    gains[sizes[order] == 0] = 0  # these are ties from the start
    thresholds = np.concatenate([[0.0], sizes[order]])
    totals = np.concatenate([[0], np.cumsum(gains)])
    is_last = np.append(thresholds[1:] != thresholds[:-1], True)  # a threshold takes all pairs of its size along
    best = int(np.argmax(np.where(is_last, totals, -len(sizes) - 1)))
    return float(thresholds[best])


def _pairs(people: Sequence[float], metric: Sequence[float]) -> tuple[_Integers, _Floats]:
    """Return (pairs,) what people say, -1, 0 or 1, and (pairs,) the difference of the metric."""
    x, y = paired_values(people, metric)
    first, second = np.triu_indices(len(x), 1)
    return np.sign(x[first] - x[second]).astype(np.int64), y[first] - y[second]


def _counted(told: _Integers, differences: _Floats, threshold: float) -> PairwiseAccuracy:
    said = np.where(np.abs(differences) <= threshold, 0, np.sign(differences)).astype(np.int64)
    return PairwiseAccuracy(
        concordant=int(((told == said) & (told != 0)).sum()),
        discordant=int((told * said == -1).sum()),
        tied_by_people=int(((told == 0) & (said != 0)).sum()),
        tied_by_metric=int(((told != 0) & (said == 0)).sum()),
        tied_by_both=int(((told == 0) & (said == 0)).sum()),
        tie_threshold=threshold,
    )
