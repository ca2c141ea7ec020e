import math
import random
import statistics as standard

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS, clustered_mean
from anisora.harness.statistics.multiplicity import holm
from anisora.harness.statistics.paired_difference import paired_difference


def drawn(seed: int, clusters: int, per_cluster: int) -> tuple[list[float], list[str], list[float]]:
    generator = np.random.default_rng(seed)
    effects = np.repeat(generator.normal(0, 0.5, clusters), per_cluster)
    values = effects + generator.normal(0, 1, clusters * per_cluster)
    labels = [f"c{at // per_cluster}" for at in range(clusters * per_cluster)]
    return values.tolist(), labels, generator.uniform(0.5, 3, clusters * per_cluster).tolist()


def test_six_single_item_clusters_give_the_interval_worked_out_by_hand() -> None:
    # mean 3.5; squared residuals 17.5; 6/5 * 17.5 / 36 = 0.58333; t(5, 0.975) = 2.570582
    found = clustered_mean([1, 2, 3, 4, 5, 6], list("abcdef"))
    assert found.value == 3.5
    assert found.standard_error == pytest.approx(math.sqrt(7 / 12), rel=1e-14)
    assert found.low == pytest.approx(3.5 - 2.5705818366147395 * math.sqrt(7 / 12), rel=1e-9)
    assert found.high == pytest.approx(3.5 + 2.5705818366147395 * math.sqrt(7 / 12), rel=1e-9)
    assert (found.count, found.clusters, found.level, found.method, found.note) == (
        6,
        6,
        0.95,
        "clustered t",
        "",
    )


def test_residuals_are_summed_within_a_cluster_before_they_are_squared() -> None:
    # Mean 1: residuals -1 and +1 cancel in every cluster but a (-2) and b (+2): 6/5 * 8 / 12^2.
    values = [0, 0, 2, 2, 0, 2, 0, 2, 0, 2, 0, 2]
    labels = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f"]
    found = clustered_mean(values, labels)
    assert found.value == 1
    assert found.standard_error == pytest.approx(math.sqrt(1.2 * 8) / 12, rel=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_the_cluster_sandwich_of_weighted_least_squares(seed: int) -> None:
    values, labels, weights = drawn(seed, clusters=9, per_cluster=7)
    # Weighted least squares on a constant: (X'WX)^-1 (sum_g X_g'W_g u_g u_g'W_g X_g) (X'WX)^-1 G/(G-1).
    design, response, scale = np.ones((len(values), 1)), np.array(values), np.diag(weights)
    bread = np.linalg.inv(design.T @ scale @ design)
    beta = bread @ design.T @ scale @ response
    residual = response - design @ beta
    meat = np.zeros((1, 1))
    for label in set(labels):
        member = np.array([other == label for other in labels])
        score = design[member].T @ scale[np.ix_(member, member)] @ residual[member]
        meat += np.outer(score, score)
    variance = bread @ meat @ bread * 9 / 8
    found = clustered_mean(values, labels, weights)
    assert found.value == pytest.approx(beta[0], rel=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(variance[0, 0]), rel=1e-12)
    assert (found.low, found.high) == pytest.approx(
        stats.t.interval(0.95, 8, loc=beta[0], scale=math.sqrt(variance[0, 0])), rel=1e-9
    )


def test_single_item_clusters_give_the_classical_t_interval() -> None:
    values, _, _ = drawn(1, clusters=12, per_cluster=1)
    found = clustered_mean(values, [str(at) for at in range(12)], level=0.9)
    assert found.standard_error == pytest.approx(standard.stdev(values) / math.sqrt(12), rel=1e-12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-9)


@pytest.mark.parametrize(("clusters", "per_cluster"), [(6, 20), (12, 12), (77, 4)])
def test_the_interval_covers_the_truth_as_often_as_it_says(clusters: int, per_cluster: int) -> None:
    generator = np.random.default_rng(20260101)
    covered = 0
    labels = [f"c{at // per_cluster}" for at in range(clusters * per_cluster)]
    replications = 2000 if clusters < 20 else 1000
    shape = (replications, clusters)
    effects = np.repeat(generator.normal(0, math.sqrt(0.2), shape), per_cluster, axis=1)
    values = 0.7 + effects + generator.normal(0, math.sqrt(0.8), (replications, clusters * per_cluster))
    if clusters < 20:
        # The same formula on all replications at once; one of them is checked against the function.
        means = values.mean(axis=1)
        sums = (values - means[:, None]).reshape(replications, clusters, per_cluster).sum(axis=2)
        error = np.sqrt(clusters / (clusters - 1) * (sums**2).sum(axis=1)) / values.shape[1]
        half = stats.t.ppf(0.975, clusters - 1) * error
        first = clustered_mean(values[0].tolist(), labels)
        assert (first.low, first.high) == pytest.approx((means[0] - half[0], means[0] + half[0]))
        covered = int((abs(means - 0.7) <= half).sum())
    else:
        for row in values:
            found = clustered_mean(row.tolist(), labels)
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= 0.7 <= found.high
    assert 0.93 <= covered / replications <= 0.97


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_the_order_of_rows_changes_no_bit(seed: int, clusters: int) -> None:
    values, labels, weights = drawn(seed, clusters=clusters, per_cluster=3)
    order = list(range(len(values)))
    random.Random(seed).shuffle(order)
    shuffled = clustered_mean([values[at] for at in order], [labels[at] for at in order], [weights[at] for at in order])
    assert shuffled == clustered_mean(values, labels, weights)


def test_the_names_of_clusters_change_no_bit() -> None:
    values, labels, weights = drawn(3, clusters=8, per_cluster=5)
    renamed = [f"label {99 - int(label[1:])}" for label in labels]
    assert clustered_mean(values, renamed, weights) == clustered_mean(values, labels, weights)


def test_equal_weights_are_no_weights() -> None:
    values, labels, _ = drawn(4, clusters=8, per_cluster=5)
    plain, weighted = clustered_mean(values, labels), clustered_mean(values, labels, [4.0] * len(values))
    assert weighted == plain


def test_an_item_of_weight_zero_does_not_enter() -> None:
    values, labels, weights = drawn(5, clusters=7, per_cluster=3)
    more = clustered_mean([*values, 1e6], [*labels, "another"], [*weights, 0.0])
    assert more == clustered_mean(values, labels, weights)


@pytest.mark.parametrize("clusters", range(1, MIN_CLUSTERS))
def test_there_is_no_interval_below_six_clusters(clusters: int) -> None:
    found = clustered_mean([float(at) for at in range(clusters)], [str(at) for at in range(clusters)])
    assert found.value == (clusters - 1) / 2
    assert (found.low, found.high, found.method) == (None, None, "")
    assert found.note == f"{clusters} cluster{'s' * (clusters > 1)}; an interval needs 6"
    assert (found.standard_error is None) == (clusters == 1)


def test_nothing_scored_has_no_value_and_is_not_zero() -> None:
    for found in (clustered_mean([], []), clustered_mean([3.0], ["a"], [0.0])):
        assert (found.value, found.standard_error, found.low, found.high) == (None, None, None, None)
        assert (found.count, found.clusters, found.note) == (0, 0, "nothing was scored")


def test_equal_values_have_an_interval_of_no_width() -> None:
    found = clustered_mean([0.25] * 12, [str(at % 6) for at in range(12)])
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("values", "clusters", "weights", "message"),
    [
        ([1.0, math.nan], ["a", "b"], None, r"`values\[1\]` got nan"),
        ([math.inf], ["a"], None, r"`values\[0\]` got inf"),
        ([1.0], ["a"], [-1.0], r"`weights\[0\]` got -1.0"),
        ([1.0], ["a"], [math.nan], r"`weights\[0\]` got nan"),
        ([1.0], [], None, "got 1 values, 0 clusters and 1 weights"),
        ([1.0], ["a"], [1.0, 2.0], "1 values, 1 clusters and 2 weights"),
    ],
)
def test_what_is_not_a_number_is_refused(values, clusters, weights, message) -> None:
    with pytest.raises(MetricError, match=message):
        clustered_mean(values, clusters, weights)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_between_0_and_1(level: float) -> None:
    with pytest.raises(MetricError, match="`level` got"):
        clustered_mean([1.0], ["a"], level=level)


def test_a_paired_difference_of_single_item_clusters_is_the_paired_t_test() -> None:
    generator = np.random.default_rng(7)
    items = [f"i{at}" for at in range(20)]
    left, right = generator.normal(0.3, 1, 20), generator.normal(0, 1, 20)
    found = paired_difference(
        dict(zip(items, left.tolist(), strict=True)),
        dict(zip(items, right.tolist(), strict=True)),
        {item: item for item in items},
    )
    expected = stats.ttest_rel(left, right)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval()
    assert (found.estimate.low, found.estimate.high) == pytest.approx(tuple(interval), rel=1e-9)
    assert found.wins == int((left > right).sum())
    assert (found.wins + found.losses, found.ties, found.items) == (20, 0, 20)


def test_the_p_value_is_below_5_percent_exactly_where_the_interval_leaves_out_zero() -> None:
    seen = set()
    for seed in range(60):
        values, labels, _ = drawn(seed, clusters=8, per_cluster=4)
        left = {str(at): value + 0.35 for at, value in enumerate(values)}
        found = paired_difference(left, dict.fromkeys(left, 0.0), dict(zip(left, labels, strict=True)))
        assert found.p_value is not None
        assert found.estimate.low is not None
        assert found.estimate.high is not None
        apart = found.estimate.low > 0 or found.estimate.high < 0
        assert (found.p_value < 0.05) == apart
        seen.add(apart)
    assert seen == {True, False}


def test_swapping_the_sides_turns_the_difference_round() -> None:
    values, labels, _ = drawn(11, clusters=8, per_cluster=4)
    left = {str(at): value for at, value in enumerate(values)}
    right = {str(at): value for at, value in enumerate(values[::-1])}
    clusters = dict(zip(left, labels, strict=True))
    one, other = paired_difference(left, right, clusters), paired_difference(right, left, clusters)
    assert one.estimate.value == -(other.estimate.value or 0)
    assert one.p_value == other.p_value
    assert (one.wins, one.losses) == (other.losses, other.wins)


def test_items_of_one_side_are_counted_and_never_imputed() -> None:
    found = paired_difference(
        {"a": 1.0, "b": 2.0, "c": 5.0, "d": 5.0}, {"b": 1.0, "c": 5.0, "e": 9.0}, {"b": "x", "c": "y"}
    )
    assert (found.items, found.only_left, found.only_right) == (2, 2, 1)
    assert found.estimate.value == 0.5
    assert (found.wins, found.losses, found.ties) == (1, 0, 1)
    assert found.p_value is None
    assert found.estimate.note == "2 clusters; an interval needs 6"


def test_no_shared_item_gives_no_difference() -> None:
    found = paired_difference({"a": 1.0}, {"b": 1.0}, {})
    assert (found.estimate.value, found.p_value, found.items) == (None, None, 0)


def test_equal_sides_have_a_p_value_of_one_and_a_constant_gap_of_zero() -> None:
    left = {str(at): float(at) for at in range(6)}
    clusters = {item: item for item in left}
    assert paired_difference(left, left, clusters).p_value == 1
    shifted = {item: value + 1 for item, value in left.items()}
    assert paired_difference(shifted, left, clusters).p_value == 0


def test_an_item_without_a_cluster_is_named() -> None:
    with pytest.raises(MetricError, match="Item 'b' has no cluster"):
        paired_difference({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": "x"})


def test_holm_corrects_the_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_tests_that_were_not_made() -> None:
    assert holm([None, 0.02, None, 0.01]) == [None, 0.02, None, 0.02]
    assert holm([]) == []
    assert holm([None]) == [None]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_its_definition(p_values: list[float]) -> None:
    found = holm(p_values)
    ordered = sorted(p_values)
    for value, corrected in zip(p_values, found, strict=True):
        upto = [(len(ordered) - at) * other for at, other in enumerate(ordered) if other <= value]
        assert corrected == min(1, max(upto))


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan])
def test_holm_refuses_what_is_no_p_value(value: float) -> None:
    with pytest.raises(MetricError, match=r"`p_values\[1\]` got"):
        holm([0.5, value])
