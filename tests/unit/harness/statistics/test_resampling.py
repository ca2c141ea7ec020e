import itertools
import math

import numpy as np
import pytest
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_bootstrap import bca_bounds, bootstrap_mean, resampled_counts
from anisora.harness.statistics.effect_sizes import effect_sizes, mcnemar
from anisora.harness.statistics.proportion import clustered_proportion
from anisora.harness.statistics.sign_flips import max_t, paired_columns, sign_flip_test
from anisora.harness.statistics.variance_components import design_effect, two_stage_bootstrap, variance_components


def sample(seed: int, clusters: int, least: int = 2, most: int = 6) -> tuple[dict[str, float], dict[str, str]]:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(least, most + 1, clusters)
    labels = {f"i{at}-{step}": f"c{at}" for at, size in enumerate(sizes) for step in range(size)}
    effects = generator.normal(0, 0.5, clusters)
    values = {item: float(effects[int(label[1:])] + generator.normal()) for item, label in labels.items()}
    return values, labels


# -- bootstrap


def test_the_bounds_are_those_of_scipys_bca_at_the_widened_level() -> None:
    values = np.random.default_rng(0).exponential(size=40)
    quantile = math.sqrt(40 / 39) * stats.t.ppf(0.975, 39)
    expected = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=60_000,
        confidence_level=2 * stats.norm.cdf(quantile) - 1,
        method="BCa",
        rng=np.random.default_rng(1),
    )
    found = bootstrap_mean(values.tolist(), [str(at) for at in range(40)], draws=60_000)
    assert found.value == pytest.approx(values.mean(), rel=1e-12)
    width = found.high - found.low
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.02 * width)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.02 * width)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.02)
    assert found.high - found.value > 1.1 * (found.value - found.low)  # scores are skewed, and so is the interval


def test_a_bootstrap_is_the_same_for_any_order_of_rows_and_names_of_clusters() -> None:
    values, labels = sample(1, 35)
    items = list(values)
    plain = bootstrap_mean([values[item] for item in items], [labels[item] for item in items], draws=1000)
    items.reverse()
    other = bootstrap_mean([values[item] for item in items], [labels[item] + "x" * 3 for item in items], draws=1000)
    assert plain == other
    assert (plain.draws, plain.seed, plain.clusters) == (1000, 0, 35)
    assert plain.low != bootstrap_mean([values[i] for i in items], [labels[i] for i in items], draws=1000, seed=1).low


def test_weights_enter_the_bootstrap_as_repeated_items_do() -> None:
    values, labels = sample(2, 30)
    twice = [item for item in values for _ in range(2 if item.endswith("-0") else 1)]
    repeated = bootstrap_mean([values[item] for item in twice], [labels[item] for item in twice], draws=1000)
    weights = [2.0 if item.endswith("-0") else 1.0 for item in values]
    weighted = bootstrap_mean(list(values.values()), list(labels.values()), weights, draws=1000)
    assert (weighted.low, weighted.high) == pytest.approx((repeated.low, repeated.high), rel=1e-9)


def test_there_is_no_bootstrap_below_thirty_clusters_nor_with_few_draws() -> None:
    values, labels = sample(3, 29)
    found = bootstrap_mean(list(values.values()), list(labels.values()))
    assert (found.low, found.high, found.standard_error, found.method, found.draws) == (None, None, None, "", 0)
    assert found.note == "29 clusters; a bootstrap needs 30"
    assert bootstrap_mean([], []).note == "nothing was scored"
    with pytest.raises(MetricError, match="`draws` got 100"):
        bootstrap_mean([1.0], ["a"], draws=100)


def test_each_draw_takes_as_many_clusters_as_there_are() -> None:
    counts = np.concatenate(list(resampled_counts(7, 3000, 0)))
    assert counts.shape == (3000, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.08)
    assert counts.var(axis=0) == pytest.approx(np.full(7, 6 / 7), rel=0.1)  # multinomial


def test_a_statistic_without_spread_has_bounds_without_width() -> None:
    low, high, error = bca_bounds(np.full((1000, 1), 0.5), np.array([0.5]), np.full((30, 1), 0.5), 0.95)
    assert (low[0], high[0], error[0]) == (0.5, 0.5, 0.0)


# -- sign flips


def slow_statistic(sums: list[float], counts: list[float], signs: tuple[int, ...]) -> float:
    flipped = [sign * part for sign, part in zip(signs, sums, strict=True)]
    total = sum(counts)
    mean = sum(flipped) / total
    squares = sum((part - mean * n) ** 2 / (1 - n / total) for part, n in zip(flipped, counts, strict=True) if n)
    return mean * total / math.sqrt(squares)


def slow_max_t(columns: dict[str, dict[str, float]], labels: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Step-down over all flips, written from the definition."""
    names = sorted(set(labels[item] for column in columns.values() for item in column))
    parts = {
        name: (
            [sum(value for item, value in column.items() if labels[item] == label) for label in names],
            [sum(labels[item] == label for item in column) for label in names],
        )
        for name, column in columns.items()
    }
    found = {name: abs(slow_statistic(*part, (1,) * len(names))) for name, part in parts.items()}
    order = sorted(found, key=lambda name: -found[name])
    flips = list(itertools.product((1, -1), repeat=len(names)))
    table = [{name: abs(slow_statistic(*part, signs)) for name, part in parts.items()} for signs in flips]
    result, largest = {}, 0.0
    for at, name in enumerate(order):
        floor = found[name] * (1 - 1e-9)
        alone = sum(row[name] >= floor for row in table) / len(flips)
        largest = max(largest, sum(max(row[other] for other in order[at:]) >= floor for row in table) / len(flips))
        result[name] = (alone, largest)
    return result


@pytest.mark.parametrize("seed", range(4))
def test_exact_flips_equal_the_definition_with_missing_items(seed: int) -> None:
    first, labels = sample(seed, 8)
    generator = np.random.default_rng(seed)
    columns = {"a": {item: value + 0.6 for item, value in first.items()}}
    columns["b"] = {item: 0.7 * value + 0.5 * generator.normal() for item, value in first.items()}
    columns["c"] = {item: generator.normal() + 0.4 for item in list(first)[:-7]}
    found = max_t(columns, labels)
    expected = slow_max_t(columns, labels)
    assert (found.flips, found.seed) == (256, None)
    for test in found.tests:
        assert (test.p_value, test.adjusted_p) == pytest.approx(expected[test.name], abs=1e-12)
        assert test.count == len(columns[test.name])


def test_single_item_clusters_give_the_permutation_test_of_scipy() -> None:
    generator = np.random.default_rng(3)
    left, right = generator.normal(0.6, 1, 11), generator.normal(0, 1, 11)
    expected = stats.permutation_test(
        (left, right), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    items = [f"i{at}" for at in range(11)]
    found = sign_flip_test(
        dict(zip(items, left, strict=True)), dict(zip(items, right, strict=True)), {item: item for item in items}
    )
    (test,) = found.tests
    assert test.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert test.adjusted_p == test.p_value
    assert test.value == pytest.approx(float(np.mean(left - right)))


def test_drawn_flips_are_near_all_flips_and_never_zero() -> None:
    values, labels = sample(5, 15)
    found = max_t({"a": values, "b": {item: value + 3 for item, value in values.items()}}, labels)
    assert (found.flips, found.seed) == (10_000, 0)
    assert found.tests[1].p_value >= 1 / 10_001
    sums = {}
    for item, value in values.items():
        sums.setdefault(labels[item], []).append(value)
    part, count = [sum(row) for row in sums.values()], [len(row) for row in sums.values()]
    own = abs(slow_statistic(part, count, (1,) * 15))
    exact = np.mean([abs(slow_statistic(part, count, s)) >= own for s in itertools.product((1, -1), repeat=15)])
    assert found.tests[0].p_value == pytest.approx(exact, abs=0.02)


def test_equal_columns_are_corrected_for_one_test_and_independent_ones_for_their_number() -> None:
    values, labels = sample(6, 20)
    shifted = {item: value + 0.5 for item, value in values.items()}
    same = max_t({str(at): shifted for at in range(8)}, labels)
    assert [test.adjusted_p for test in same.tests] == [same.tests[0].p_value] * 8
    generator = np.random.default_rng(0)
    noise = {str(at): {item: float(generator.normal()) for item in values} for at in range(7)}
    apart = max_t({"shifted": shifted, **noise}, labels).tests[0]
    assert apart.adjusted_p > 2 * apart.p_value


def test_a_gap_without_spread_is_as_sure_as_flips_allow_and_no_gap_is_none() -> None:
    labels = {str(at): str(at) for at in range(6)}
    gap, none = max_t({"gap": dict.fromkeys(labels, 0.1), "none": dict.fromkeys(labels, 0.0)}, labels).tests
    assert (gap.statistic, gap.p_value) == (math.inf, 2 / 64)
    assert (none.statistic, none.p_value, none.adjusted_p) == (0.0, 1.0, 1.0)


def test_a_column_of_one_cluster_has_no_test() -> None:
    labels = {"a": "x", "b": "x", "c": "y", "d": "z"}
    one, two = max_t({"one": {"a": 1.0, "b": 2.0}, "two": {"a": 1.0, "c": 2.0, "d": 4.0}}, labels).tests
    assert (one.value, one.statistic, one.p_value, one.adjusted_p, one.clusters) == (1.5, None, None, None, 1)
    assert two.p_value == two.adjusted_p == 0.25


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "`columns` is empty"),
        ({"a": {}}, "Column 'a' has no items"),
        ({"a": {"x": math.nan}}, "Item 'x' of column 'a' got nan"),
        ({"a": {"y": 1.0}}, "Item 'y' has no cluster"),
    ],
)
def test_a_family_that_cannot_be_tested_is_refused(columns, message) -> None:
    with pytest.raises(MetricError, match=message):
        max_t(columns, {"x": "c"})


def test_columns_are_paired_over_the_items_of_both() -> None:
    left = {"a": {"x": 3.0, "y": 1.0}, "b": {"x": 1.0}, "c": {"x": 1.0}}
    assert paired_columns(left, {"a": {"x": 1.0, "z": 9.0}, "b": {"y": 2.0}}) == {"a": {"x": 2.0}}


# -- effect sizes and shares


def test_effect_sizes_equal_their_definitions() -> None:
    left, labels = sample(8, 9)
    right, _ = sample(9, 9, 1, 9)
    right = {item: round(value, 1) for item, value in right.items()}
    left = {item: round(value + 0.3, 1) for item, value in left.items()}
    found = effect_sizes(left, right, labels)
    shared = sorted(left.keys() & right.keys())
    assert len(shared) > 15
    differences = np.array([left[item] - right[item] for item in shared])
    assert found.paired_d == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert found.win_rate.value == pytest.approx(((differences > 0) + 0.5 * (differences == 0)).mean())
    pairs = [(left[one], right[other]) for one in shared for other in shared]
    assert found.superiority == pytest.approx(sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs))


def test_effect_sizes_without_spread_or_items_are_none() -> None:
    found = effect_sizes({"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 1.0}, {"a": "x", "b": "y"})
    assert (found.paired_d, found.win_rate.value, found.superiority) == (None, 1.0, 0.875)
    nothing = effect_sizes({"a": 1.0}, {"b": 1.0}, {})
    assert (nothing.paired_d, nothing.win_rate.value, nothing.superiority) == (None, None, None)
    with pytest.raises(MetricError, match="Item 'a' has no cluster"):
        effect_sizes({"a": 1.0}, {"a": 1.0}, {})


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 0), (5, 1), (9, 2), (4, 4)])
def test_mcnemar_counts_coins(one: int, other: int) -> None:
    left = {f"l{at}": 1.0 for at in range(one)} | {f"r{at}": 0.0 for at in range(other)} | {"both": 1.0, "none": 0.0}
    right = {f"l{at}": 0.0 for at in range(one)} | {f"r{at}": 1.0 for at in range(other)} | {"both": 1.0, "none": 0.0}
    found = mcnemar(left, right)
    number = one + other
    expected = sum(
        math.comb(number, k) / 2**number for k in range(number + 1) if abs(2 * k - number) >= abs(one - other)
    )
    assert found.p_value == pytest.approx(expected)
    assert (found.only_left, found.only_right, found.both, found.neither) == (one, other, 1, 1)
    with pytest.raises(MetricError, match=r"Item 'a' got 0\.5"):
        mcnemar({"a": 0.5}, {"a": 1.0})


def test_a_share_of_unlike_clusters_solves_wilsons_equation() -> None:
    values = [1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1]
    labels = list("aabbbccddeeffg")
    found = clustered_proportion(values, labels)
    quantile = stats.t.ppf(0.975, found.degrees)
    per_item = found.standard_error**2 / (found.value * (1 - found.value))
    for end in (found.low, found.high):
        assert (found.value - end) ** 2 == pytest.approx(quantile**2 * end * (1 - end) * per_item, rel=1e-9)
    assert found.low < found.value < found.high
    assert found.method == "clustered Wilson"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_of_none_or_all_has_an_interval_of_some_width_within_the_range(value: float) -> None:
    found = clustered_proportion([value] * 80, [str(at % 8) for at in range(80)])
    assert found.value == value
    assert value in (found.low, found.high)
    width = stats.t.ppf(0.975, 7) ** 2 / 8
    assert found.high - found.low == pytest.approx(width / (1 + width), rel=1e-6)


def test_a_share_needs_six_clusters_and_shares() -> None:
    assert clustered_proportion([1, 0], ["a", "b"]).note == "2 clusters; an interval needs 6"
    with pytest.raises(MetricError, match=r"`values\[1\]` got 1.3"):
        clustered_proportion([1, 1.3], ["a", "b"])


# -- components


def test_components_solve_the_expected_mean_squares_of_unequal_groups() -> None:
    groups = {"a": [1.0, 2.0, 4.0], "b": [5.0, 7.0], "c": [0.0, 1.0, 1.0, 3.0]}
    found = variance_components(groups)
    every = [value for values in groups.values() for value in values]
    within = sum(sum((v - np.mean(g)) ** 2 for v in g) for g in groups.values()) / (9 - 3)
    f = stats.f_oneway(*groups.values()).statistic
    size = (9 - (9 + 4 + 16) / 9) / 2
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx((f * within - within) / size)
    assert (found.groups, found.values) == (3, len(every))
    assert found.variance_of_mean(10, 4) == pytest.approx(found.between / 10 + found.within / 40)


def test_components_recover_what_was_drawn() -> None:
    generator = np.random.default_rng(0)
    groups = {str(at): (generator.normal(0, 2) + generator.normal(0, 1, 3 + at % 5)).tolist() for at in range(4000)}
    found = variance_components(groups)
    assert (found.between, found.within) == pytest.approx((4, 1), rel=0.06)
    assert found.intraclass_correlation == pytest.approx(0.8, abs=0.02)


def test_components_of_alike_groups_are_not_negative_and_of_single_values_are_none() -> None:
    assert variance_components({"a": [0.0, 4.0], "b": [1.0, 3.0]}).between == 0
    assert variance_components({"a": [1.0, 1.0], "b": [1.0]}).intraclass_correlation == 0
    assert variance_components({"a": [1.0], "b": [2.0]}) is None
    with pytest.raises(MetricError, match="`a` has no values"):
        variance_components({"a": []})
    with pytest.raises(MetricError, match="`a` got nan"):
        variance_components({"a": [math.nan]})


def test_the_design_effect_is_the_ratio_of_variances() -> None:
    generator = np.random.default_rng(1)
    sizes = [10, 30, 12, 25, 18, 10]
    shared = np.repeat(generator.normal(0, math.sqrt(0.2), (40_000, 6)), sizes, axis=1)
    means = (shared + generator.normal(0, math.sqrt(0.8), shared.shape)).mean(axis=1)
    assert design_effect(sizes, 0.2) == pytest.approx(means.var() * sum(sizes), rel=0.03)
    for wrong in ({"sizes": [], "intraclass_correlation": 0}, {"sizes": [2], "intraclass_correlation": 2}):
        with pytest.raises(MetricError, match="`"):
            design_effect(**wrong)


@pytest.mark.parametrize("between", [0.6, 1.0])
def test_both_stages_together_have_the_variance_of_the_mean(between: float) -> None:
    errors = []
    for seed in range(120):
        generator = np.random.default_rng(seed)
        items = {
            str(at): (between * generator.normal() + generator.normal(0, 1, 2 + at % 3)).tolist() for at in range(40)
        }
        errors.append(two_stage_bootstrap(items, draws=1000).standard_error ** 2)
    true = between**2 / 40 + np.mean([1 / (2 + at % 3) for at in range(40)]) / 40
    assert np.mean(errors) == pytest.approx(true, rel=0.1)


def test_seeds_drawn_twice_without_shrinkage_would_count_their_noise_twice() -> None:
    generator = np.random.default_rng(0)
    items = {str(at): generator.normal(0, 1, 2).tolist() for at in range(60)}  # items do not differ at all
    means = np.array([np.mean(values) for values in items.values()])
    naive = math.sqrt(means.var(ddof=1) / 60 + np.mean([np.var(values, ddof=1) / 2 for values in items.values()]) / 60)
    found = two_stage_bootstrap(items, draws=4000)
    assert found.standard_error < 0.85 * naive
    assert found.method == "two-stage bootstrap of items and seeds"


def test_a_two_stage_bootstrap_needs_thirty_items_and_forgets_their_order() -> None:
    items = {str(at): [float(at), float(at % 7)] for at in range(31)}
    backwards = {name: values[::-1] for name, values in reversed(items.items())}
    assert two_stage_bootstrap(items, draws=1000) == two_stage_bootstrap(backwards, draws=1000)
    few = two_stage_bootstrap({"a": [1.0, 2.0]})
    assert (few.value, few.low, few.note) == (1.5, None, "1 item; a bootstrap needs 30")
    assert two_stage_bootstrap({}).value is None
