import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.rank_correlation import (
    DRAWS,
    EXACT_ITEMS,
    MONTE_CARLO_ITEMS,
    RankCorrelation,
    calibrated_pairwise_accuracy,
    kendall,
    pairwise_accuracy,
    smallest_exact_p,
    spearman,
)

ONE_SIDE = st.lists(st.integers(0, 4), min_size=2, max_size=7)


def drawn(count: int, seed: int = 0, levels: int | None = None) -> tuple[list[float], list[float]]:
    """Two correlated sides, of few levels where ties are wanted."""
    generator = np.random.default_rng(seed)
    left = generator.normal(size=count)
    right = 0.5 * left + generator.normal(size=count)
    if levels is not None:
        left, right = np.round(left * levels / 4), np.round(right * levels / 4)
    return left.tolist(), right.tolist()


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def slow_ranks(values: list[int]) -> list[Fraction]:
    return [
        Fraction(2 * sum(other < value for other in values) + sum(other == value for other in values) + 1, 2)
        for value in values
    ]


def slow_spearman_statistic(left: list[int], right: list[int]) -> Fraction:
    x, y = slow_ranks(left), slow_ranks(right)
    middle = Fraction(len(x) + 1, 2)
    return sum(((a - middle) * (b - middle) for a, b in zip(x, y, strict=True)), Fraction(0))


def slow_kendall_statistic(left: list[int], right: list[int]) -> int:
    pairs = itertools.combinations(range(len(left)), 2)
    return sum(sign(left[i] - left[j]) * sign(right[i] - right[j]) for i, j in pairs)


@pytest.mark.parametrize("levels", [None, 6, 3])
@pytest.mark.parametrize("count", [3, 6, 8, 20, MONTE_CARLO_ITEMS, MONTE_CARLO_ITEMS + 1, 400])
def test_the_coefficients_are_those_of_scipy(count: int, levels: int | None) -> None:
    left, right = drawn(count, seed=count, levels=levels)
    assert spearman(left, right).value == pytest.approx(stats.spearmanr(left, right).statistic, abs=1e-10)
    assert kendall(left, right).value == pytest.approx(stats.kendalltau(left, right).statistic, abs=1e-10)


@pytest.mark.parametrize("count", range(3, EXACT_ITEMS + 1))
def test_exact_p_values_without_ties_are_those_of_scipy(count: int) -> None:
    for seed in range(3):
        left, right = drawn(count, seed)
        found = kendall(left, right)
        assert found.p_value == pytest.approx(stats.kendalltau(left, right, method="exact").pvalue, abs=1e-10)
        assert found.method == f"exact over all {math.factorial(count)} orders"


@pytest.mark.parametrize("count", [4, 5, 6])
def test_the_exact_p_value_of_spearman_is_that_of_scipys_permutations(count: int) -> None:
    left, right = drawn(count)
    permuted = stats.permutation_test(
        (left,),
        lambda order: stats.spearmanr(order, right).statistic,
        permutation_type="pairings",
        n_resamples=math.inf,
    )
    assert spearman(left, right).p_value == pytest.approx(permuted.pvalue, abs=1e-10)


@given(ONE_SIDE, st.randoms(use_true_random=False))
def test_exact_p_values_with_ties_are_those_of_counting_every_order(left: list[int], shuffler: random.Random) -> None:
    left = left[:5]
    right = [shuffler.randrange(4) for _ in left]
    if len(set(left)) == 1 or len(set(right)) == 1:
        assert spearman(left, right).value is None
        return
    for found, statistic in (
        (spearman(left, right), slow_spearman_statistic),
        (kendall(left, right), slow_kendall_statistic),
    ):
        seen = abs(statistic(left, right))
        orders = [abs(statistic(left, list(order))) for order in itertools.permutations(right)]
        assert found.p_value == pytest.approx(sum(other >= seen for other in orders) / len(orders), abs=1e-12)


def test_the_smallest_p_value_of_few_systems_is_large() -> None:
    printed = {4: 0.083, 5: 0.017, 6: 0.0028}
    for count, smallest in printed.items():
        perfect = list(range(count))
        for correlation in (spearman, kendall):
            found = correlation(perfect, [10.0 * value for value in perfect])
            assert found.value == 1.0
            assert found.p_value == smallest_exact_p(count)
            assert correlation(perfect, perfect[::-1]).p_value == found.p_value
        digits = 4 if count == 6 else 3
        assert round(smallest_exact_p(count), digits) == smallest
    assert smallest_exact_p(2) == smallest_exact_p(1) == 1.0


def test_above_eight_items_orders_are_drawn_and_the_method_says_so() -> None:
    left, right = drawn(EXACT_ITEMS + 1, seed=3)
    for correlation in (spearman, kendall):
        found = correlation(left, right)
        assert found.method == f"over {DRAWS} random orders"
        assert found == correlation(left, right)
    exact = stats.kendalltau(left, right, method="exact").pvalue
    error = math.sqrt(exact * (1 - exact) / DRAWS)
    assert abs(kendall(left, right).p_value - exact) < 4 * error
    assert spearman(range(20), range(20)).p_value == 1 / (DRAWS + 1)


@pytest.mark.parametrize("levels", [None, 6])
def test_many_items_get_the_approximations_of_scipy(levels: int | None) -> None:
    left, right = drawn(MONTE_CARLO_ITEMS + 1, seed=5, levels=levels)
    rho, tau = spearman(left, right), kendall(left, right)
    assert rho.p_value == pytest.approx(stats.spearmanr(left, right).pvalue, abs=1e-10)
    assert tau.p_value == pytest.approx(stats.kendalltau(left, right, method="asymptotic").pvalue, abs=1e-10)
    assert (rho.method, tau.method) == (
        f"by Student's t with {MONTE_CARLO_ITEMS - 1} degrees of freedom",
        "by the normal approximation",
    )


@pytest.mark.parametrize("count", [7, 30])
def test_the_order_of_items_changes_no_bit(count: int) -> None:
    left, right = drawn(count, seed=1, levels=8)
    order = list(range(count))
    random.Random(0).shuffle(order)
    for function in (spearman, kendall, pairwise_accuracy, calibrated_pairwise_accuracy):
        assert function([left[at] for at in order], [right[at] for at in order]) == function(left, right)


@given(ONE_SIDE, st.randoms(use_true_random=False))
def test_swapping_or_turning_a_side_does_what_it_should(left: list[int], shuffler: random.Random) -> None:
    right = [shuffler.randrange(5) for _ in left]
    for correlation in (spearman, kendall):
        found = correlation(left, right)
        turned = correlation(left, [-value for value in right])
        assert correlation(right, left).value == found.value
        assert turned.value == (None if found.value is None else -found.value)
        assert turned.p_value == found.p_value


def test_what_has_no_order_has_no_correlation_and_says_why() -> None:
    assert spearman([1, 2, 3], [5, 5, 5]) == RankCorrelation(
        value=None, p_value=None, method="", note="all values of the right side are equal", count=3
    )
    assert kendall([2, 2], [2, 2]).note == "all values of the left and the right side are equal"
    assert kendall([1], [1]).note == "1 item; a rank correlation needs 2"
    assert spearman([], []).note == "0 items; a rank correlation needs 2"


@pytest.mark.parametrize("function", [spearman, kendall, pairwise_accuracy, calibrated_pairwise_accuracy])
def test_what_cannot_be_compared_is_refused_by_name(function: object) -> None:
    assert callable(function)
    with pytest.raises(MetricError, match="`left` has 2 values and `right` 3; expected one of each an item"):
        function([1, 2], [1, 2, 3])
    with pytest.raises(MetricError, match=r"`right\[1\]` got nan; expected a finite number"):
        function([1, 2], [1, math.nan])
    with pytest.raises(MetricError, match=r"`left\[0\]` got inf"):
        function([math.inf, 2], [1, 2])


def slow_accuracy(people: list[int], metric: list[float], threshold: float) -> tuple[float, float]:
    """Count the pairs one by one: (all pairs, the pairs that people tell apart)."""
    right, told_apart, right_apart, pairs = 0, 0, 0, 0
    for i, j in itertools.combinations(range(len(people)), 2):
        difference = metric[i] - metric[j]
        said = 0 if abs(difference) <= threshold else sign(difference)
        told = sign(people[i] - people[j])
        pairs += 1
        right += said == told
        told_apart += told != 0
        right_apart += told != 0 and said == told
    return right / pairs, right_apart / told_apart if told_apart else math.nan


@given(ONE_SIDE, st.randoms(use_true_random=False), st.sampled_from([0.0, 0.5, 1.0]))
def test_pairwise_accuracy_is_that_of_counting_pairs_one_by_one(
    people: list[int], shuffler: random.Random, threshold: float
) -> None:
    metric = [shuffler.randrange(8) / 4 for _ in people]
    found = pairwise_accuracy(people, metric, tie_threshold=threshold)
    with_ties, without_ties = slow_accuracy(people, metric, threshold)
    assert found.pairs == math.comb(len(people), 2)
    assert found.with_ties == with_ties
    assert found.without_ties == (None if math.isnan(without_ties) else without_ties)


@given(ONE_SIDE, st.randoms(use_true_random=False))
def test_calibration_finds_the_smallest_threshold_of_the_best_accuracy(
    people: list[int], shuffler: random.Random
) -> None:
    metric = [shuffler.randrange(8) / 4 for _ in people]
    tried = sorted({0.0} | {abs(a - b) for a, b in itertools.combinations(metric, 2)})
    accuracies = [slow_accuracy(people, metric, threshold)[0] for threshold in tried]
    found = calibrated_pairwise_accuracy(people, metric)
    assert found.with_ties == max(accuracies)
    assert found.tie_threshold == tried[accuracies.index(max(accuracies))]
    assert found == pairwise_accuracy(people, metric, tie_threshold=found.tie_threshold)


def test_a_metric_that_cannot_tie_is_not_punished_after_calibration() -> None:
    people, metric = [1, 1, 2, 2], [0.10, 0.11, 0.90, 0.92]
    plain, calibrated = pairwise_accuracy(people, metric), calibrated_pairwise_accuracy(people, metric)
    assert (plain.with_ties, plain.without_ties) == (4 / 6, 1.0)
    assert (calibrated.with_ties, calibrated.without_ties) == (1.0, 1.0)
    assert calibrated.tie_threshold == pytest.approx(0.02)
    assert (calibrated.tied_by_both, calibrated.tied_by_people, plain.tied_by_people) == (2, 0, 2)


def test_without_ties_the_accuracy_is_tau_on_another_scale() -> None:
    left, right = drawn(12, seed=2)
    found = pairwise_accuracy(left, right)
    tau = kendall(left, right).value
    assert tau is not None
    assert found.without_ties == found.with_ties == pytest.approx((tau + 1) / 2)


def test_no_pair_has_no_accuracy() -> None:
    found = calibrated_pairwise_accuracy([1], [1])
    assert (found.pairs, found.with_ties, found.without_ties) == (0, None, None)
    assert pairwise_accuracy([1, 1], [1, 2]).without_ties is None


@pytest.mark.parametrize("threshold", [-0.1, math.nan, math.inf])
def test_a_threshold_below_zero_is_refused(threshold: float) -> None:
    with pytest.raises(MetricError, match=r"`tie_threshold` got .*; expected a finite number of at least 0"):
        pairwise_accuracy([1, 2], [1, 2], tie_threshold=threshold)
