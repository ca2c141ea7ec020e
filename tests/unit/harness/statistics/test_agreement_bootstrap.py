"""Intervals of agreement: equal values at the sample itself, and coverage that is near its level."""

import numpy as np
import pytest
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.agreement_bootstrap import STATISTICS, _Statistics, agreement_intervals
from anisora.harness.statistics.linear_correlation import pearson
from anisora.harness.statistics.rank_correlation import kendall, pairwise_accuracy, spearman


def sample(seed: int, groups: int = 40, size: int = 3) -> tuple[list[float], list[float], list[str]]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(groups), size)
    shared = rng.normal(size=groups)[clusters]
    people = np.clip(np.round(3 + shared + 0.5 * rng.normal(size=len(clusters))), 1, 5)
    metric = np.round(shared + rng.normal(size=len(clusters)), 1)
    return people.tolist(), metric.tolist(), [f"c{cluster}" for cluster in clusters]


@pytest.mark.parametrize("threshold", [0.0, 0.25])
def test_at_the_sample_the_statistics_are_those_of_the_pure_functions(threshold: float) -> None:
    people, metric, clusters = sample(0)
    labels = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    found = _Statistics(np.array(people), np.array(metric), labels, 40, threshold).of(np.ones((1, 40)))
    accuracy = pairwise_accuracy(people, metric, tie_threshold=threshold)
    expected = {
        "spearman": spearman(people, metric).value,
        "kendall": kendall(people, metric).value,
        "pearson": pearson(people, metric).value,
        "accuracy": accuracy.without_ties,
        "accuracy_with_ties": accuracy.with_ties,
    }
    for name in STATISTICS:
        assert found[name][0] == pytest.approx(expected[name], abs=1e-12), name


def test_a_cluster_left_out_is_the_sample_without_it_and_one_drawn_twice_is_weighed_twice() -> None:
    people, metric, clusters = sample(1, groups=32)
    labels = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    statistics = _Statistics(np.array(people), np.array(metric), labels, 32, 0.0)
    counts = np.ones((2, 32))
    counts[0, 5] = 0
    counts[1, 7] = 2
    found = statistics.of(counts)
    kept = labels != 5
    assert found["kendall"][0] == pytest.approx(kendall(np.array(people)[kept], np.array(metric)[kept]).value)
    assert found["spearman"][0] == pytest.approx(spearman(np.array(people)[kept], np.array(metric)[kept]).value)
    twice = np.concatenate([np.arange(len(labels)), np.flatnonzero(labels == 7)])
    assert found["spearman"][1] == pytest.approx(stats.spearmanr(np.array(people)[twice], np.array(metric)[twice])[0])
    assert found["pearson"][1] == pytest.approx(stats.pearsonr(np.array(people)[twice], np.array(metric)[twice])[0])


def test_intervals_hold_the_value_and_depend_on_neither_order_nor_names() -> None:
    people, metric, clusters = sample(2)
    found = agreement_intervals(people, metric, clusters, draws=2000)
    order = np.random.default_rng(0).permutation(len(people))
    again = agreement_intervals(
        [people[at] for at in order], [metric[at] for at in order], [clusters[at] for at in order], draws=2000
    )
    for name in STATISTICS:
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert low < high
        assert again[name].low == pytest.approx(low, abs=1e-9)
    assert found["spearman"].low < spearman(people, metric).value < found["spearman"].high
    assert found["accuracy"].method == "BCa cluster bootstrap"


def test_few_clusters_have_no_interval_and_a_constant_side_none_either() -> None:
    people, metric, clusters = sample(3, groups=6)
    found = agreement_intervals(people, metric, clusters)
    assert {each.low for each in found.values()} == {None}
    assert found["pearson"].note == "6 clusters; a bootstrap needs 30"
    people, metric, clusters = sample(3)
    constant = agreement_intervals([3.0] * len(people), metric, clusters, draws=1000)
    assert constant["spearman"].low is None
    assert "constant" in constant["spearman"].note


def test_wrong_input_is_refused() -> None:
    with pytest.raises(MetricError, match="have 2, 1 and 2 entries"):
        agreement_intervals([1, 2], [1], ["a", "b"])
    with pytest.raises(MetricError, match="not finite"):
        agreement_intervals([1, float("nan")], [1, 2], ["a", "b"])
    with pytest.raises(MetricError, match="`level` got 2"):
        agreement_intervals([1, 2], [1, 2], ["a", "b"], level=2)


@pytest.mark.slow
@pytest.mark.long
def test_the_interval_of_spearman_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = spearman(*sample(999, groups=4000)[:2]).value
    assert truth is not None
    hits = 0
    for seed in range(120):
        people, metric, clusters = sample(seed)
        interval = agreement_intervals(people, metric, clusters, draws=1000)["spearman"]
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= truth <= interval.high
    assert hits >= 105  # 114 expected; 105 is four standard deviations below


def test_pearson_is_scipys_and_its_p_value_is_exact_for_few_items() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=30), rng.normal(size=30)
    assert pearson(x.tolist(), y.tolist()).value == pytest.approx(stats.pearsonr(x, y)[0])
    few = pearson([1, 2, 3, 4], [1, 2, 3, 4.5])
    assert few.p_value == 2 / 24
    assert few.method == "exact over all 24 orders"
    assert pearson([1, 1], [1, 2]).note == "all values of the left side are equal"
    assert pearson([1], [2]).note == "1 item; a correlation needs 2"
    many = rng.normal(size=150)
    assert pearson(many.tolist(), (many + rng.normal(size=150)).tolist()).method.startswith("by Student's t")
