import numpy as np
import pytest
from scipy import stats
from scored_systems import TRUTH, Scored, rows_of

from anisora.harness.errors import RecordError
from anisora.harness.statistics.paired_difference import paired_difference
from anisora.leaderboards.effects import Effect, EffectMatrix, effect_matrix

ITEMS = [f"item-{at:02}" for at in range(20)]
LOW, HIGH, NEAR = "lower than the truth", "higher than the truth", "near the truth"


def drawn(seed: int, mean: float, spread: float = 0.05) -> dict[str, float]:
    values = np.random.default_rng(seed).normal(mean, spread, len(ITEMS))
    return dict(zip(ITEMS, values.tolist(), strict=True))


def effect(matrix: EffectMatrix, model: str, metric: str) -> Effect:
    row = next(row for row in matrix.rows if row.model == model)
    return next(effect for effect in row.effects if effect.metric == metric)


def three_systems(*metrics: str) -> Scored:
    true = drawn(0, 0.5)
    shift = {LOW: -0.2, HIGH: 0.2, NEAR: 0.0}
    noise = drawn(1, 0.0, 0.02)
    systems = {
        model: {metric: {item: true[item] + by + noise[item] for item in ITEMS} for metric in metrics}
        for model, by in shift.items()
    }
    return Scored({**systems, TRUTH: dict.fromkeys(metrics, true)})


@pytest.mark.parametrize(
    ("metric", "low", "high"),
    [("sharpness", "worse", "better"), ("flicker", "better", "worse"), ("flow", "worse", "worse")],
    ids=["higher is better", "lower is better", "closest is best"],
)
def test_the_verdict_follows_the_direction_of_the_metric(metric: str, low: str, high: str) -> None:
    matrix = three_systems(metric).matrix()
    assert [effect(matrix, model, metric).verdict for model in (LOW, HIGH, NEAR)] == [low, high, "alike"]


def test_the_difference_and_its_interval_are_those_of_a_t_test_on_the_items() -> None:
    scored = three_systems("sharpness", "flicker")
    matrix = scored.matrix()
    for model in (LOW, HIGH, NEAR):
        for metric in ("sharpness", "flicker"):
            mine, true = (
                np.array([row.value for row in scored.scores[f"smoke-{name}"] if row.metric == metric])
                for name in (model, TRUTH)
            )
            difference = effect(matrix, model, metric).difference
            assert difference is not None
            estimate = difference.estimate
            assert (difference.items, estimate.clusters) == (20, 20)
            assert estimate.value == pytest.approx(np.mean(mine - true), abs=1e-15)
            # Skewed differences have fewer degrees of freedom than the 19 of scipy.stats.ttest_rel.
            assert estimate.degrees is not None
            assert 10 < estimate.degrees <= 19
            interval = stats.t.interval(0.95, estimate.degrees, np.mean(mine - true), stats.sem(mine - true))
            assert (estimate.low, estimate.high) == pytest.approx(interval, rel=1e-9)
            statistic = np.mean(mine - true) / stats.sem(mine - true)
            assert difference.p_value == pytest.approx(2 * stats.t.sf(abs(statistic), estimate.degrees), rel=1e-6)


def test_an_interval_that_ends_at_zero_holds_it() -> None:
    true = dict.fromkeys(ITEMS, 0.5)
    matrix = Scored({"same": {"sharpness": true}, TRUTH: {"sharpness": true}}).matrix()
    found = effect(matrix, "same", "sharpness")
    assert found.difference is not None
    assert (found.difference.estimate.low, found.difference.estimate.high) == (0.0, 0.0)
    assert found.verdict == "alike"


def test_items_of_one_cluster_count_as_one_draw() -> None:
    true, mine = drawn(0, 0.5), drawn(1, 0.55)
    clusters = {item: f"c{at % 7}" for at, item in enumerate(ITEMS)}
    scored = Scored({"alpha": {"sharpness": mine}, TRUTH: {"sharpness": true}}, clusters=clusters)
    found = effect(scored.matrix(), "alpha", "sharpness").difference
    assert found == paired_difference(mine, true, clusters)
    assert found is not None
    assert found.estimate.clusters == 7


def test_too_few_clusters_tell_a_difference_and_no_verdict() -> None:
    true, mine = drawn(0, 0.5), drawn(1, 0.9)
    clusters = {item: f"c{at % 5}" for at, item in enumerate(ITEMS)}
    scored = Scored({"alpha": {"sharpness": mine}, TRUTH: {"sharpness": true}}, clusters=clusters)
    found = effect(scored.matrix({"alpha": ["sharpness"]}), "alpha", "sharpness")
    assert found.difference is not None
    assert found.difference.estimate.value == pytest.approx(0.4, abs=0.05)
    assert (found.verdict, found.held) == ("unknown", False)


def test_only_items_that_both_have_are_compared() -> None:
    true = {item: value for item, value in drawn(0, 0.5).items() if item != ITEMS[0]}
    mine = {**drawn(1, 0.4), ITEMS[1]: None}
    scored = Scored({"alpha": {"sharpness": mine}, TRUTH: {"sharpness": true}})
    found = effect(scored.matrix(), "alpha", "sharpness").difference
    assert found is not None
    assert (found.items, found.only_left, found.only_right) == (18, 1, 1)
    shared = [item for item in ITEMS if item not in ITEMS[:2]]
    assert found.estimate.value == pytest.approx(np.mean([mine[item] - true[item] for item in shared]), abs=1e-15)


@pytest.mark.parametrize(
    "systems",
    [
        {"alpha": {"sharpness": drawn(1, 0.5)}, TRUTH: {"flicker": drawn(0, 0.5)}},
        {"alpha": {"sharpness": drawn(1, 0.5)}, TRUTH: {"sharpness": {"another item": 0.5}}},
        {"alpha": {"sharpness": dict.fromkeys(ITEMS)}, TRUTH: {"sharpness": drawn(0, 0.5)}},
    ],
    ids=["another metric", "other items", "nothing scored"],
)
def test_nothing_shared_is_unknown_and_never_zero(systems: dict) -> None:
    found = effect(Scored(systems).matrix({"alpha": ["sharpness"]}), "alpha", "sharpness")
    assert (found.difference, found.verdict) == (None, "unknown")
    assert (found.expected, found.held) == (True, False)


def test_seeds_are_averaged_within_an_item_first() -> None:
    scored = Scored({"alpha": {"sharpness": drawn(1, 0.5)}, TRUTH: {"sharpness": drawn(0, 0.5)}})
    second = rows_of("sharpness", drawn(2, 0.5), seed=1)
    scored.scores["smoke-alpha"] += second
    found = effect(scored.matrix(), "alpha", "sharpness").difference
    means = [(drawn(1, 0.5)[item] + drawn(2, 0.5)[item]) / 2 - drawn(0, 0.5)[item] for item in ITEMS]
    assert found is not None
    assert (found.items, found.estimate.value) == (20, pytest.approx(np.mean(means), abs=1e-15))


def test_what_was_expected_is_told_apart_from_what_was_found() -> None:
    matrix = three_systems("sharpness", "flicker").matrix(
        {LOW: ["sharpness", "flicker"], NEAR: ["sharpness"], "a system without a run": ["sharpness"]}
    )
    told = [(model, found.metric, found.held) for model, found in matrix.expected]
    assert sorted(told) == [(LOW, "flicker", False), (LOW, "sharpness", True), (NEAR, "sharpness", False)]
    assert sorted(matrix.unmet) == [(LOW, "flicker"), (NEAR, "sharpness")]
    assert not effect(matrix, HIGH, "sharpness").expected
    assert effect(matrix, HIGH, "sharpness").held


def test_the_columns_that_prefer_a_system_are_counted_among_those_that_could() -> None:
    true, better = drawn(0, 0.5), drawn(1, 0.9)
    systems = {
        "alpha": {"sharpness": better, "flicker": better, "flow": better, "ssim": better},
        TRUTH: {"sharpness": true, "flicker": true, "flow": true},
    }
    preferring, able = Scored(systems).matrix().preferring("alpha")
    assert [column.metric for column in preferring] == ["sharpness"]
    assert [column.metric for column in able] == ["sharpness", "flicker", "flow"]


def test_a_matrix_has_the_systems_and_columns_of_its_table_without_the_ground_truth() -> None:
    scored = three_systems("sharpness", "flow")
    matrix = scored.matrix()
    assert [row.model for row in matrix.rows] == [row.model for row in scored.table.rows][:-1]
    assert [[found.metric for found in row.effects] for row in matrix.rows] == [["sharpness", "flow"]] * 3
    assert (matrix.columns, matrix.reference) == (scored.table.columns, f"smoke-{TRUTH}")


def test_without_ground_truth_there_is_no_matrix() -> None:
    scored = Scored({"alpha": {"sharpness": drawn(1, 0.5)}})
    assert effect_matrix(scored.table, scored.scores) is None


def test_runs_that_disagree_on_a_cluster_are_refused() -> None:
    scored = Scored({"alpha": {"sharpness": drawn(1, 0.5)}, TRUTH: {"sharpness": drawn(0, 0.5)}})
    scored.scores["smoke-alpha"] = rows_of("sharpness", drawn(1, 0.5), {ITEMS[3]: "elsewhere"})
    with pytest.raises(RecordError, match=r"Item 'item-03' is in the cluster 'elsewhere' in one run and in 'item-03'"):
        scored.matrix()
