import math
import random
import statistics as standard

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import degrees_of_sizes
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS, clustered_mean
from anisora.harness.statistics.multiplicity import benjamini_hochberg, holm
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


def dense_estimate(values: list[float], labels: list[str], weights: list[float]) -> tuple[float, float, float]:
    """Return mean, CR2 standard error and degrees of freedom, with matrices over items."""
    response, total = np.array(values), sum(weights)
    loading = np.array(weights) / total
    mean = float(loading @ response)
    residual = response - mean
    groups = [np.array([other == label for other in labels]) for label in sorted(set(labels))]
    maker = np.eye(len(values)) - np.outer(np.ones(len(values)), loading)  # residuals of the responses

    pairs = sum(member.sum() * (member.sum() - 1) for member in groups)
    products = sum(residual[member].sum() ** 2 - (residual[member] ** 2).sum() for member in groups)
    correlation = min(1, max(0, products / pairs / (residual**2).mean())) if pairs else 0.0
    same = np.array([[a == b for b in labels] for a in labels], float)
    assumed = (1 - correlation) * np.eye(len(values)) + correlation * same

    parts, columns = [], []
    for member in groups:
        row = np.where(member, loading, 0.0)
        factor = (row @ row) / (row @ maker @ maker.T @ row)  # unbiased for independent items of one variance
        parts.append(math.sqrt(factor) * row @ residual)
        columns.append(math.sqrt(factor) * row @ maker)
    covariance = np.array(columns) @ assumed @ np.array(columns).T
    degrees = np.trace(covariance) ** 2 / (covariance**2).sum()
    scores = [np.where(member, loading, 0.0) @ residual for member in groups]
    squared_skewness = sum(score**3 for score in scores) ** 2 / sum(score**2 for score in scores) ** 3
    z = stats.norm.ppf(0.975)
    cost = (z**2 - 1) * (z**2 + 3) / 18 * 4 / (z**2 + 1)
    return mean, math.sqrt(sum(part**2 for part in parts)), 1 / (1 / degrees + cost * squared_skewness)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_equals_the_matrices_it_is_short_for(seed: int, is_weighted: bool) -> None:
    values, labels, weights = drawn(seed, clusters=9, per_cluster=7)
    kept = sorted(np.random.default_rng(seed).choice(len(values), 45, replace=False).tolist())
    values, labels, weights = ([part[at] for at in kept] for part in (values, labels, weights))
    if not is_weighted:
        weights = [1.0] * len(values)
    mean, error, degrees = dense_estimate(values, labels, weights)
    found = clustered_mean(values, labels, weights)
    assert (found.value, found.standard_error, found.degrees) == pytest.approx((mean, error, degrees), rel=1e-9)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, degrees, loc=mean, scale=error), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_without_weights_it_is_the_bias_reduced_sandwich_of_bell_and_mccaffrey(seed: int) -> None:
    values, labels, _ = drawn(seed, clusters=8, per_cluster=6)
    values, labels = values[seed + 5 :], labels[seed + 5 :]  # clusters of unequal size
    design = np.ones((len(values), 1))
    bread = np.linalg.inv(design.T @ design)
    residual = np.array(values) - np.mean(values)
    meat = 0.0
    for label in set(labels):
        member = np.array([other == label for other in labels])
        hat = design[member] @ bread @ design[member].T
        size, vectors = np.linalg.eigh(np.eye(int(member.sum())) - hat)
        assert size.min() > 0
        adjusted = vectors @ np.diag(size**-0.5) @ vectors.T @ residual[member]
        meat += float((design[member].T @ adjusted)[0]) ** 2
    assert clustered_mean(values, labels).standard_error == pytest.approx(math.sqrt(meat) * bread[0, 0], rel=1e-10)


def test_symmetrical_single_item_clusters_give_the_classical_t_interval() -> None:
    half = [0.3, 1.1, 2.4, 0.9, 3.2, 1.7]
    values = [2 + value for value in half] + [2 - value for value in half]
    found = clustered_mean(values, [str(at) for at in range(12)], level=0.9)
    assert found.standard_error == pytest.approx(standard.stdev(values) / math.sqrt(12), rel=1e-12)
    assert found.degrees == pytest.approx(11)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-9)


def test_skewed_clusters_have_the_classical_error_and_fewer_degrees_of_freedom() -> None:
    values = [0.99, 0.98, 0.99, 0.97, 0.98, 0.99, 0.99, 0.52]
    found = clustered_mean(values, list("abcdefgh"))
    assert found.standard_error == pytest.approx(standard.stdev(values) / math.sqrt(8), rel=1e-12)
    assert found.degrees is not None
    assert 1 < found.degrees < 3
    mirrored = clustered_mean([1 - value for value in values], list("abcdefgh"))
    assert mirrored.degrees == pytest.approx(found.degrees)


@pytest.mark.parametrize("correlation", [0.0, 0.2, 1.0])
def test_the_degrees_of_sizes_are_those_of_unskewed_samples(correlation: float) -> None:
    assert degrees_of_sizes([7] * 9, correlation) == pytest.approx(8)
    sizes = [30, 10, 12, 25, 10, 18]
    share = np.array(sizes) / sum(sizes)
    # The definition: degrees of a chi-square with the mean and the variance of the estimate, by simulation.
    generator = np.random.default_rng(0)
    spread = np.sqrt(correlation + (1 - correlation) / np.array(sizes))
    means = generator.normal(0, 1, (400_000, 6)) * spread
    estimate = (share**2 / (1 - share) * (means - means @ share[:, None]) ** 2).sum(axis=1)
    expected = 2 * estimate.mean() ** 2 / estimate.var()
    assert degrees_of_sizes(sizes, correlation) == pytest.approx(expected, rel=0.02)


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
    assert found.estimate.value / found.estimate.standard_error == pytest.approx(expected.statistic, rel=1e-9)
    # Chance skewness costs degrees of freedom: the p value is that of the t test at those it has.
    assert 15 < found.estimate.degrees < 19
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(expected.statistic), found.estimate.degrees), rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.05)
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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_benjamini_hochberg_equals_its_definition(p_values: list[float]) -> None:
    ordered = sorted(p_values)
    count = len(p_values)
    expected = [
        min(count * other / (at + 1) for at, other in enumerate(ordered) if other >= value) for value in p_values
    ]
    found = benjamini_hochberg([None, *p_values])
    assert found[0] is None
    assert found[1:] == pytest.approx([min(1, value) for value in expected], rel=1e-12)


def test_benjamini_hochberg_of_no_test_is_none_and_refuses_what_is_no_p_value() -> None:
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([None]) == [None]
    with pytest.raises(MetricError, match=r"`p_values\[1\]` got 2.0"):
        benjamini_hochberg([0.5, 2.0])


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
