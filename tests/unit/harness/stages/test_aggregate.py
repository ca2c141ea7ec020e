import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from trial_metrics import make_info, make_row

from anisora.harness.record import MetricResult
from anisora.harness.runfolder import ScoreRow
from anisora.harness.stages.aggregate import aggregate, item_values
from anisora.harness.statistics.proportion import clustered_proportion
from anisora.harness.statistics.subset import stratified_sample

INFOS = {"trial": make_info()}


def cell(*rows: ScoreRow) -> MetricResult:
    (result,) = aggregate(rows, INFOS)
    return result


def test_seeds_are_reduced_before_items_so_that_every_item_counts_once() -> None:
    rows = [make_row("a", 1.0, seed=seed) for seed in range(9)] + [make_row("b", 0.0)]
    assert cell(*rows).value == 0.5
    assert cell(*rows).scored == 2


def test_weights_count_within_an_item_and_between_items() -> None:
    rows = [
        make_row("a", 1.0, seed=0, weight=3.0),
        make_row("a", 0.0, seed=1, weight=1.0),
        make_row("b", 0.0, weight=2.0),
    ]
    assert item_values(rows) == {"a": (0.75, 2.0), "b": (0.0, 2.0)}
    assert cell(*rows).value == 0.375
    assert cell(*rows).unweighted == 0.375


def test_both_aggregations_are_stored_where_a_metric_weighs_its_clips() -> None:
    found = cell(make_row("a", 1.0, weight=48.0), make_row("b", 0.0, weight=16.0))
    assert (found.value, found.unweighted) == (0.75, 0.5)
    assert cell().unweighted is None


def test_a_weight_of_zero_is_no_value() -> None:
    assert item_values([make_row("a", 1.0, weight=0.0), make_row("b", 0.5)]) == {"b": (0.5, 1.0)}


def test_items_are_counted_once_as_scored_error_or_unscored() -> None:
    rows = [
        make_row("scored", 1.0, seed=0),
        make_row("scored", None, seed=1, status="error"),
        make_row("failed", None, seed=0, status="error"),
        make_row("failed", None, seed=1),
        make_row("unscored", None, seed=0),
        make_row("unscored", None, seed=1),
    ]
    result = cell(*rows)
    assert (result.scored, result.errors, result.unscored) == (1, 1, 1)
    assert result.value == 1.0


def test_a_metric_without_rows_has_an_empty_cell() -> None:
    result = cell()
    assert (result.value, result.low, result.scored, result.unscored, result.errors) == (None, None, 0, 0, 0)
    assert result.interval_note


def test_there_is_one_cell_a_metric_in_the_order_of_names_with_who_it_is() -> None:
    infos = {name: make_info(name, version=3, direction="lower") for name in ("b", "a")}
    results = aggregate([make_row(metric="b")], infos)
    assert [result.metric for result in results] == ["a", "b"]
    assert (results[1].version, results[1].direction, results[1].value) == (3, "lower", 0.5)


def test_rows_of_metrics_that_are_not_asked_for_are_passed_over() -> None:
    assert aggregate([make_row(metric="other")], INFOS)[0].scored == 0


def test_the_interval_is_over_clusters_and_there_is_none_below_six() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 12)
    few = [make_row(f"i{at}", float(value), cluster=f"c{at % 5}") for at, value in enumerate(values)]
    many = [make_row(f"i{at}", float(value), cluster=f"c{at % 6}") for at, value in enumerate(values)]
    assert (cell(*few).low, cell(*few).clusters) == (None, 5)
    assert cell(*few).interval_note
    result = cell(*many)
    assert (result.clusters, result.interval_note) == (6, "")
    assert result.low is not None
    assert result.high is not None
    assert result.value is not None
    assert result.low < result.value < result.high
    means = np.array([values[at::6].mean() for at in range(6)])
    error = means.std(ddof=1) / math.sqrt(6)
    assert result.standard_error == pytest.approx(error, rel=1e-9)
    # Student's t has 5 degrees of freedom, a little less for clusters that are not quite symmetrical.
    assert 2.570581835636314 * error <= result.high - result.value < 2.65 * error


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3), st.floats(-1e3, 1e3)), max_size=30), st.randoms())
def test_the_order_of_rows_changes_no_bit(drawn: list[tuple[int, int, float]], chance: random.Random) -> None:
    rows = [
        make_row(f"i{item}", value, seed=seed, cluster=f"c{item % 7}", weight=1.0 + seed) for item, seed, value in drawn
    ]
    mixed = rows.copy()
    chance.shuffle(mixed)
    assert aggregate(mixed, INFOS) == aggregate(rows, INFOS)


def test_a_subset_estimates_the_weighted_mean_of_the_whole_by_strata() -> None:
    drawn = {"a": [(0.2, 1.0), (0.4, 3.0)], "b": [(0.7, 2.0), (0.9, 2.0), (0.8, 1.0)]}
    population = {"a": 10, "b": 5}
    rows = [
        make_row(f"{label}{at}", value, cluster=label, weight=weight)
        for label, found in drawn.items()
        for at, (value, weight) in enumerate(found)
    ]
    (result,) = [found for found in aggregate(rows, INFOS, population) if found.value is not None]
    weight, total = (
        sum(
            population[label] / 15 * np.mean([w * (v if scored else 1) for v, w in found])
            for label, found in drawn.items()
        )
        for scored in (False, True)
    )
    assert result.value == pytest.approx(total / weight, rel=1e-12)
    variance = 0.0
    for label, found in drawn.items():
        residuals = [w * (v - total / weight) / weight for v, w in found]
        fraction = len(found) / population[label]
        variance += (population[label] / 15) ** 2 * (1 - fraction) * np.var(residuals, ddof=1) / len(found)
    assert result.standard_error == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert result.value - result.low == pytest.approx(result.high - result.value, rel=1e-9)
    assert (result.interval, result.interval_note) == ("stratified t, finite population", "")


def test_a_metric_of_yes_and_no_has_the_interval_of_a_share() -> None:
    rows = [make_row(f"i{at}", float(at > 0), cluster=f"c{at % 9}") for at in range(27)]
    rows.append(make_row("i0", 1.0, seed=1, cluster="c0"))  # one seed of i0 says no, the other yes
    (share,) = aggregate(rows, {"trial": make_info(binary=True)})
    (mean,) = aggregate(rows, INFOS)
    assert share.value == mean.value == pytest.approx(26.5 / 27)
    assert (share.interval, mean.interval) == ("clustered Wilson", "clustered t")
    assert share.high < 1 < mean.high
    expected = clustered_proportion([0.5, *[1.0] * 26], [f"c{at % 9}" for at in range(27)])
    assert (share.low, share.high) == (expected.low, expected.high)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_weighted_subsets_cover_the_mean_of_the_whole(correlation: float) -> None:
    generator = np.random.default_rng(8)
    sizes = generator.integers(10, 31, 50)
    labels = {f"{label}/{at}": f"label {label:02}" for label, size in enumerate(sizes) for at in range(size)}
    population = Counter(labels.values())
    covered = 0
    for replication in range(4000):
        shared = np.repeat(generator.normal(0, math.sqrt(correlation), 50), sizes)
        latent = shared + generator.normal(0, math.sqrt(1 - correlation), len(labels))
        values = dict(zip(labels, stats.beta.ppf(stats.norm.cdf(latent), 19, 1).tolist(), strict=True))
        weights = dict(zip(labels, generator.choice([1.0, 2.0, 5.0], len(labels)).tolist(), strict=True))
        rows = [
            make_row(item, values[item], cluster=labels[item], weight=weights[item])
            for item in stratified_sample(labels, 75, seed=replication)
        ]
        (found,) = aggregate(rows, INFOS, population)
        covered += found.low <= np.average(list(values.values()), weights=list(weights.values())) <= found.high
    assert 0.93 <= covered / 4000 <= 0.97


def test_aggregates_follow_from_rows_alone() -> None:
    rows = [make_row(f"i{at}", at / 10) for at in range(10)]
    noted = [make_row(f"i{at}", at / 10, note="told", parts={"frames": [1.0]}) for at in range(10)]
    assert aggregate(noted, INFOS) == aggregate(rows, INFOS) == aggregate(tuple(rows), INFOS)
