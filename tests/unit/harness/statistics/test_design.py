"""Power, subsets and comparisons at matched motion."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_regression import clustered_coefficient
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.statistics.matched_motion import matched_motion_difference
from anisora.harness.statistics.power import items_needed, minimum_detectable_effect, paired_power, power_at
from anisora.harness.statistics.rank_correlation import (
    calibrated_preference_accuracy,
    preference_accuracy,
)
from anisora.harness.statistics.subset import stratified_mean, stratified_sample

# -- power


@pytest.mark.parametrize(("deviation", "effect"), [(0.05, 1.0), (0.05, 2.9), (0.2, 1.0), (0.5, 2.9)])
def test_with_many_clusters_it_is_the_textbook_formula(deviation: float, effect: float) -> None:
    expected = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * deviation * math.sqrt(effect / 948)
    found = minimum_detectable_effect(deviation, 948, 948, design_effect=effect)
    assert found == pytest.approx(expected, rel=0.005)


def test_the_effect_and_the_power_are_inverse() -> None:
    for clusters, power in itertools.product((6, 10, 77), (0.5, 0.8, 0.95)):
        gap = minimum_detectable_effect(0.1, 200, clusters, design_effect=1.5, power=power)
        assert power_at(gap, 0.1, 200, clusters, design_effect=1.5) == pytest.approx(power, abs=1e-9)
        assert power_at(-gap, 0.1, 200, clusters, design_effect=1.5) == pytest.approx(power, abs=1e-9)
    assert power_at(0.0, 0.1, 200, 50) == pytest.approx(0.05, abs=0.002)
    assert power_at(10.0, 0.1, 200, 50) == 1.0


@pytest.mark.parametrize(("per_cluster", "correlation"), [(1.0, 0.0), (12.3, 0.1)])
def test_so_many_items_suffice_and_one_cluster_fewer_does_not(per_cluster: float, correlation: float) -> None:
    found = items_needed(0.02, 0.1, items_per_cluster=per_cluster, intraclass_correlation=correlation)
    effect = 1 + (per_cluster - 1) * correlation
    clusters = round(found / per_cluster - 0.499) if per_cluster > 1 else found
    for count, suffices in ((clusters, True), (clusters - 1, False)):
        items = math.ceil(count * per_cluster)
        assert (power_at(0.02, 0.1, items, count, design_effect=effect) >= 0.8) == suffices


def test_the_smallest_effect_of_two_runs_comes_from_their_differences() -> None:
    generator = np.random.default_rng(0)
    labels = {f"i{at}": f"c{at % 20}" for at in range(300)}
    common = generator.normal(0, 5, 300)
    left = dict(zip(labels, (common + generator.normal(0, 0.1, 300)).tolist(), strict=True))
    right = dict(zip(labels, (common + generator.normal(0, 0.1, 300)).tolist(), strict=True))
    found = paired_power(left, {**right, "other": 1.0}, labels)
    differences = np.array([left[item] - right[item] for item in labels])
    assert found.standard_deviation == pytest.approx(differences.std(ddof=1))
    assert (found.items, found.clusters, found.note) == (300, 20, "")
    assert found.minimum_detectable_effect == pytest.approx(
        minimum_detectable_effect(differences.std(ddof=1), 300, 20, design_effect=found.design_effect), rel=1e-9
    )
    assert found.minimum_detectable_effect < 0.06  # what the items have in common does not count


def test_runs_without_spread_or_with_few_clusters_have_no_smallest_effect() -> None:
    labels = {str(at): str(at) for at in range(8)}
    left = dict.fromkeys(labels, 1.0)
    assert paired_power(left, left, labels).note == "all differences are equal"
    thirds = {item: at / 3 for at, item in enumerate(labels)}
    shifted = {item: value + 0.1 for item, value in thirds.items()}
    assert len({shifted[item] - thirds[item] for item in labels}) > 1  # in their last digits
    assert paired_power(shifted, thirds, labels).note == "all differences are equal"
    few = paired_power(dict(list(left.items())[:3]), left, labels)
    assert (few.minimum_detectable_effect, few.note) == (None, "3 clusters; an interval needs 6")
    assert paired_power({}, left, labels).note == "0 clusters; an interval needs 6"
    with pytest.raises(MetricError, match="Item '0' has no cluster"):
        paired_power(left, left, {})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_at(0.1, 0.0, 10, 10), "`standard_deviation` got 0.0"),
        (lambda: power_at(0.1, 1.0, 10, 5), "`clusters` got 5"),
        (lambda: power_at(0.1, 1.0, 0, 10), "`items` got 0"),
        (lambda: power_at(math.nan, 1.0, 10, 10), "`gap` got nan"),
        (lambda: power_at(0.1, 1.0, 10, 10, design_effect=0), "`design_effect` got 0"),
        (lambda: power_at(0.1, 1.0, 10, 10, degrees=0), "`degrees` got 0"),
        (lambda: power_at(0.1, 1.0, 10, 10, level=1), "`level` got 1"),
        (lambda: minimum_detectable_effect(1.0, 10, 10, power=0.01), "`power` got 0.01"),
        (lambda: items_needed(0.0, 1.0), "`gap` got 0.0"),
        (lambda: items_needed(1e-9, 1.0), "more than 10000000 items"),
        (lambda: items_needed(0.1, 1.0, items_per_cluster=0.5), "`items_per_cluster` got 0.5"),
        (lambda: items_needed(0.1, 1.0, intraclass_correlation=2), "`intraclass_correlation` got 2"),
    ],
)
def test_numbers_out_of_range_are_named(call, message) -> None:
    with pytest.raises(MetricError, match=message.replace(".", r"\.")):
        call()


# -- subsets


def suite(seed: int, labels: int) -> dict[str, str]:
    sizes = np.random.default_rng(seed).integers(10, 31, labels)
    return {f"{label}/{at}": f"label {label:02}" for label, size in enumerate(sizes) for at in range(size)}


@pytest.mark.parametrize("size", [77, 100, 300, 900])
def test_every_label_has_its_share_and_at_least_one(size: int) -> None:
    labels = suite(0, 77)
    counts = Counter(labels.values())
    drawn = Counter(labels[item] for item in stratified_sample(labels, size))
    assert sum(drawn.values()) == size
    for label, count in counts.items():
        exact = size * count / len(labels)
        assert max(1, math.floor(exact) - 1) <= drawn[label] <= max(1, math.ceil(exact))


def test_the_largest_remainders_get_one_more() -> None:
    labels = {f"{name}{at}": name for name, count in (("a", 50), ("b", 30), ("c", 20)) for at in range(count)}
    # 7 of 100: 3.5, 2.1 and 1.4.
    assert Counter(labels[item] for item in stratified_sample(labels, 7)) == {"a": 4, "b": 2, "c": 1}
    assert Counter(labels[item] for item in stratified_sample(labels, 1)) == {"a": 1}
    assert set(stratified_sample(labels, 100)) == set(labels)


def test_a_draw_depends_on_the_seed_alone_and_takes_items_alike() -> None:
    labels = suite(1, 12)
    backwards = dict(reversed(labels.items()))
    assert stratified_sample(labels, 50, seed=3) == stratified_sample(backwards, 50, seed=3)
    assert stratified_sample(labels, 50, seed=3) != stratified_sample(labels, 50, seed=4)
    taken = Counter(item for seed in range(600) for item in stratified_sample(labels, 60, seed=seed))
    share = Counter(labels[item] for item in stratified_sample(labels, 60))
    sizes = Counter(labels.values())
    for item, label in labels.items():
        assert taken[item] / 600 == pytest.approx(share[label] / sizes[label], abs=0.1)
    for size in (0, len(labels) + 1):
        with pytest.raises(MetricError, match=f"`size` got {size}"):
            stratified_sample(labels, size)


def test_over_all_samples_the_mean_is_right_and_so_is_the_variance() -> None:
    whole = {"a": [1.0, 2.0, 5.0, 9.0], "b": [3.0, 3.5, 7.0], "c": [10.0, 20.0]}
    labels = {f"{label}{at}": label for label, values in whole.items() for at in range(len(values))}
    scores = {f"{label}{at}": value for label, values in whole.items() for at, value in enumerate(values)}
    choices = [itertools.combinations([item for item in labels if labels[item] == label], 2) for label in whole]
    found = [
        stratified_mean({item: scores[item] for pair in pairs for item in pair}, labels, {"a": 4, "b": 3, "c": 2})
        for pairs in itertools.product(*choices)
    ]
    values = np.array([each.value for each in found])
    assert values.mean() == pytest.approx(np.mean(list(scores.values())))
    assert np.mean([each.standard_error**2 for each in found]) == pytest.approx(values.var())


def test_the_whole_suite_leaves_no_doubt() -> None:
    labels = suite(2, 9)
    values = {item: float(at % 7) for at, item in enumerate(labels)}
    found = stratified_mean(values, labels, Counter(labels.values()))
    assert found.value == pytest.approx(np.mean(list(values.values())))
    assert found.low == found.high == found.value
    assert (found.standard_error, found.degrees, found.sampled, found.population) == (0, None, len(labels), len(labels))


def test_labels_of_one_item_are_joined_and_absent_ones_represented() -> None:
    labels = {"a1": "a", "b1": "b", "c1": "c", "c2": "c"}
    values = {"a1": 1.0, "b1": 3.0, "c1": 5.0, "c2": 7.0}
    found = stratified_mean(values, labels, {"a": 10, "b": 10, "c": 20, "d": 10})
    # a, b and d stand for 30 items with mean 2, c for 20 with mean 6.
    assert found.value == pytest.approx((30 * 2 + 20 * 6) / 50)
    joined, own = 0.6**2 * (1 - 2 / 30) * 2 / 2, 0.4**2 * (1 - 2 / 20) * 2 / 2
    assert found.standard_error == pytest.approx(math.sqrt(joined + own))
    assert found.degrees == pytest.approx((joined + own) ** 2 / (joined**2 / 2 + own**2 / 2) - 1)
    assert found.strata == 2
    assert found.note == (
        "2 labels joined with others, for fewer than 2 items each; "
        "1 labels without items, represented by those they are joined with"
    )


def test_labels_of_one_item_take_the_spread_of_the_others_where_enough_have_two() -> None:
    population = {f"label {at}": 10 + at for at in range(10)}
    scores = {f"label {at}": [0.1 * at, 0.1 * at + 0.02 * (at + 1)][: 2 if at < 7 else 1] for at in range(9)}
    labels = {f"{label}/{at}": label for label, values in scores.items() for at in range(len(values))}
    values = {item: scores[label][int(item[-1])] for item, label in labels.items()}
    found = stratified_mean(values, labels, population)
    # Seven labels of two items, two of one, and one without, which the nearest in size, label 8, stands for.
    assert found.strata == 9
    sizes = [*(population[f"label {at}"] for at in range(8)), 18 + 19]
    means = [float(np.mean(scores[f"label {at}"])) for at in range(9)]
    assert found.value == pytest.approx(np.average(means, weights=sizes))
    spreads = [float(np.var(scores[f"label {at}"], ddof=1)) for at in range(7)]
    taken = [2] * 7 + [1] * 2
    share = [(size / sum(sizes)) ** 2 * (1 - n / size) / n for size, n in zip(sizes, taken, strict=True)]
    own = [c * spread for c, spread in zip(share[:7], spreads, strict=True)]
    assert found.standard_error == pytest.approx(math.sqrt(sum(own) + sum(share[7:]) * np.mean(spreads)))
    parts = [part + sum(share[7:]) / 7 * spread for part, spread in zip(own, spreads, strict=True)]
    assert found.degrees == pytest.approx(sum(parts) ** 2 / sum(part**2 / 2 for part in parts) - 1)
    assert found.note == (
        "2 labels of one item, taken to spread as the others do; "
        "1 labels without items, represented by those they are joined with"
    )


def test_one_item_has_no_interval() -> None:
    found = stratified_mean({"a": 3.0}, {"a": "x"}, {"x": 5})
    assert (found.value, found.low, found.method) == (3.0, None, "")
    assert found.note == "1 sampled items; an interval needs 2 in some label or pair of labels"


def test_a_subset_of_single_items_covers_the_suite() -> None:
    covered = 0
    labels = suite(5, 77)
    sizes = Counter(labels.values())
    for seed in range(400):
        generator = np.random.default_rng(seed)
        shared = dict(zip(sizes, generator.normal(0, math.sqrt(0.3), 77), strict=True))
        values = {item: float(shared[label] + generator.normal(0, math.sqrt(0.7))) for item, label in labels.items()}
        drawn = stratified_sample(labels, 100, seed=seed)
        found = stratified_mean({item: values[item] for item in drawn}, labels, sizes)
        covered += found.low <= np.mean(list(values.values())) <= found.high
    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize(
    ("values", "labels", "population", "message"),
    [
        ({}, {}, {"x": 1}, "`values` is empty"),
        ({"a": math.nan}, {"a": "x"}, {"x": 1}, "Item 'a' got nan"),
        ({"a": 1.0}, {}, {"x": 1}, "Item 'a' has no label"),
        ({"a": 1.0, "b": 1.0}, {"a": "x", "b": "x"}, {"x": 1}, "Label 'x' has 2 sampled items of a population of 1"),
        ({"a": 1.0}, {"a": "x"}, {}, "of a population of None"),
        ({"a": 1.0}, {"a": "x"}, {"x": 1, "y": -1}, "Label 'y' got a population of -1"),
    ],
)
def test_samples_that_do_not_fit_the_suite_are_refused(values, labels, population, message) -> None:
    with pytest.raises(MetricError, match=message):
        stratified_mean(values, labels, population)


# -- matched motion


def runs(seed: int, slope: float, own: float) -> tuple[list[dict[str, float]], dict[str, str]]:
    """Left moves less, and scores fall with motion; ``own`` is what left has beyond that."""
    generator = np.random.default_rng(seed)
    labels = {f"i{at}": f"c{at % 15}" for at in range(180)}
    motion = generator.gamma(4, 1, 180), generator.gamma(4, 1, 180) + 1.5
    scores = [slope * m + generator.normal(0, 0.5, 180) for m in motion]
    tables = [scores[0] + own, scores[1], *motion]
    return [dict(zip(labels, table.tolist(), strict=True)) for table in tables], labels


def test_an_advantage_that_is_motion_alone_is_gone_at_equal_motion() -> None:
    covered = 0
    for seed in range(60):
        tables, labels = runs(seed, slope=-0.8, own=0.0)
        found = matched_motion_difference(*tables, labels)
        assert found.unmatched.low > 0
        assert found.motion_difference.high < 0
        covered += found.at_equal_motion.low <= 0 <= found.at_equal_motion.high
        assert (found.p_value > 0.05) == (found.at_equal_motion.low <= 0 <= found.at_equal_motion.high)
    assert covered >= 53


def test_an_advantage_beyond_motion_stays() -> None:
    tables, labels = runs(0, slope=-0.8, own=0.7)
    found = matched_motion_difference(*tables, labels, caliper=1.0)
    assert found.at_equal_motion.value == pytest.approx(0.7, abs=0.2)
    assert found.at_equal_motion.low > 0
    assert found.slope.value == pytest.approx(-0.8, abs=0.1)
    assert not found.is_extrapolated
    near = [item for item in labels if abs(tables[2][item] - tables[3][item]) <= 1.0]
    expected = clustered_mean([tables[0][i] - tables[1][i] for i in near], [labels[i] for i in near])
    assert found.within_caliper.value == pytest.approx(expected.value)
    assert 10 < found.within_caliper.count == len(near) < 180


def test_the_line_is_that_of_least_squares() -> None:
    tables, labels = runs(1, slope=0.3, own=0.1)
    found = matched_motion_difference(*tables, labels)
    x = [tables[2][item] - tables[3][item] for item in labels]
    y = [tables[0][item] - tables[1][item] for item in labels]
    expected = stats.linregress(x, y)
    assert found.at_equal_motion.value == pytest.approx(expected.intercept)
    assert found.slope.value == pytest.approx(expected.slope)


@pytest.mark.parametrize("seed", range(3))
def test_the_regression_on_a_constant_is_the_clustered_mean(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = [f"c{at}" for at in generator.integers(0, 9, 80)]
    values = generator.gamma(1.0, size=80) + np.array([hash_free(label) for label in labels])
    mean = clustered_mean(values.tolist(), labels)
    found = clustered_coefficient(np.ones((80, 1)), values, labels, 0)
    for name in ("value", "standard_error", "degrees", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(mean, name), rel=1e-9)


def hash_free(label: str) -> float:
    return 0.4 * (int(label[1:]) % 4)


def test_a_slope_over_single_item_clusters_is_hc2() -> None:
    generator = np.random.default_rng(4)
    x, noise = generator.normal(size=30), generator.normal(size=30)
    design = np.stack([np.ones(30), x], axis=1)
    response = 0.5 * x + noise * (1 + abs(x))
    bread = np.linalg.inv(design.T @ design)
    residual = response - design @ bread @ design.T @ response
    leverage = np.einsum("ij,jk,ik->i", design, bread, design)
    variance = bread @ (design.T * (residual**2 / (1 - leverage))) @ design @ bread
    found = clustered_coefficient(design, response, [str(at) for at in range(30)], 1)
    assert found.standard_error == pytest.approx(math.sqrt(variance[1, 1]))
    assert found.degrees < 28


def test_equal_motion_needs_no_line_and_a_constant_gap_has_none() -> None:
    labels = {str(at): str(at) for at in range(8)}
    left = {item: float(at) for at, item in enumerate(labels)}
    right, still = dict.fromkeys(labels, 1.0), dict.fromkeys(labels, 2.0)
    same = matched_motion_difference(left, right, still, still, labels)
    assert same.slope is None
    assert same.at_equal_motion == same.unmatched
    with pytest.raises(MetricError, match=r"Motion differs by 1\.0 in every item"):
        matched_motion_difference(left, right, still, right, labels)
    far = matched_motion_difference(left, right, {item: value + 5 for item, value in left.items()}, right, labels)
    assert far.is_extrapolated


def test_few_clusters_and_wrong_inputs_are_said() -> None:
    tables, labels = runs(2, slope=0.1, own=0.0)
    few = matched_motion_difference(*tables, {item: f"c{at % 4}" for at, item in enumerate(labels)})
    assert (few.p_value, few.at_equal_motion.note) == (None, "4 clusters; an interval needs 6")
    with pytest.raises(MetricError, match="`caliper` got -1"):
        matched_motion_difference(*tables, labels, caliper=-1)
    with pytest.raises(MetricError, match="Item 'i0' has no cluster"):
        matched_motion_difference(*tables, {})
    with pytest.raises(MetricError, match="No item has a score and a motion on both sides"):
        matched_motion_difference({}, *tables[1:], labels)
    tables[2]["i0"] = math.nan
    with pytest.raises(MetricError, match=r"Item 'i0' got \("):
        matched_motion_difference(*tables, labels)
    with pytest.raises(MetricError, match="dependent columns"):
        clustered_coefficient(np.ones((8, 2)), np.ones(8), list("abcdefgh"), 0)


# -- judged pairs


def test_judged_pairs_are_counted_as_they_were_asked() -> None:
    found = preference_accuracy([1, -1, 1, 0, 0, -1], [0.5, 0.2, 0.0, 0.0, 0.3, -2.0])
    assert (found.concordant, found.discordant, found.tied_by_metric) == (2, 1, 1)
    assert (found.tied_by_both, found.tied_by_people, found.pairs) == (1, 1, 6)
    assert found.without_ties == 0.5
    assert found.with_ties == 0.5


def test_the_calibrated_threshold_is_the_best_of_all() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        preferences = generator.integers(-1, 2, 40).tolist()
        differences = (0.5 * np.array(preferences) + generator.normal(size=40)).round(1).tolist()
        found = calibrated_preference_accuracy(preferences, differences)
        tried = [
            preference_accuracy(preferences, differences, tie_threshold=threshold).with_ties
            for threshold in sorted({0.0, *map(abs, differences)})
        ]
        assert found.with_ties == max(tried)
        assert found.tie_threshold == sorted({0.0, *map(abs, differences)})[tried.index(max(tried))]


@pytest.mark.parametrize(
    ("preferences", "differences", "message"),
    [
        ([1], [], "`preferences` has 1 values and `differences` 0"),
        ([2], [0.1], r"`preferences\[0\]` got 2"),
        ([1], [math.nan], r"`differences\[0\]` got nan"),
    ],
)
def test_what_is_no_judgement_is_refused(preferences, differences, message) -> None:
    with pytest.raises(MetricError, match=message):
        preference_accuracy(preferences, differences)
    with pytest.raises(MetricError, match="`tie_threshold` got -1"):
        preference_accuracy([1], [0.1], tie_threshold=-1)
