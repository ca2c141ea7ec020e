import itertools

import numpy as np
import pytest

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_bootstrap import bootstrap_mean
from anisora.harness.statistics.composite import Scale, composite_totals, rank_stability
from anisora.harness.statistics.pareto import pareto_set
from anisora.harness.statistics.ranking import rank_columns, ranks_of
from anisora.harness.statistics.sign_flips import max_t

Columns = dict[str, dict[str, dict[str, float]]]


def benchmark(
    seed: int, gaps: dict[str, float], columns: tuple[str, ...] = ("sharp", "smooth"), clusters: int = 32
) -> tuple[Columns, dict[str, str]]:
    """Return {column: {system: {item: score}}} and clusters; systems differ by gaps of one standard deviation."""
    generator = np.random.default_rng(seed)
    labels = {f"i{at}": f"c{at % clusters}" for at in range(clusters * 4)}
    table: Columns = {}
    for column in columns:
        common = generator.normal(size=len(labels))
        table[column] = {
            name: dict(zip(labels, (common + gap + generator.normal(size=len(labels))).tolist(), strict=True))
            for name, gap in gaps.items()
        }
    return table, labels


def test_far_systems_have_one_rank_and_near_ones_share_theirs() -> None:
    table, labels = benchmark(0, {"worst": -4.0, "near": 1.99, "best": 2.0})
    for ranking in rank_columns(table, labels):
        first, second, last = ranking.systems
        assert {first.name, second.name} == {"best", "near"}
        assert (first.rank, first.rank_low, first.rank_high, first.is_tied_with_best) == (1, 1, 2, True)
        assert (second.rank, second.rank_low, second.rank_high, second.is_tied_with_best) == (2, 1, 2, True)
        assert (last.name, last.rank_low, last.rank_high, last.is_tied_with_best) == ("worst", 3, 3, False)
        assert first.p_against_best is None
        assert last.p_against_best < 0.001 < 0.05 < second.p_against_best
        assert (ranking.items, ranking.left_out, ranking.seed) == (128, 0, 0)


def test_ranks_follow_the_corrected_tests_of_all_pairs_of_all_columns() -> None:
    gaps = {f"m{at}": 0.12 * at for at in range(5)}
    table, labels = benchmark(1, gaps)
    pairs = list(itertools.combinations(gaps, 2))
    family = max_t(
        {
            f"{column}/{one}/{other}": {item: systems[one][item] - systems[other][item] for item in labels}
            for column, systems in table.items()
            for one, other in pairs
        },
        labels,
    )
    p_values = {test.name: (test.adjusted_p, test.value) for test in family.tests}
    seen = set()
    for ranking in rank_columns(table, labels):
        for system in ranking.systems:
            better = worse = 0
            for one, other in pairs:
                p_value, value = p_values[f"{ranking.column}/{one}/{other}"]
                if p_value < 0.05 and system.name in (one, other):
                    is_left = system.name == one
                    better += (value < 0) == is_left
                    worse += (value > 0) == is_left
            assert (system.rank_low, system.rank_high) == (1 + better, 5 - worse)
            seen.add((better, worse))
    assert len(seen) > 2


def test_a_column_whose_small_values_are_better_is_turned_round() -> None:
    table, labels = benchmark(2, {"low": -1.0, "high": 1.0})
    plain, turned = rank_columns(table, labels, lower_is_better=frozenset({"smooth"}))
    assert [system.name for system in plain.systems] == ["high", "low"]
    assert [system.name for system in turned.systems] == ["low", "high"]
    assert not turned.systems[1].is_tied_with_best


def test_items_that_a_system_lacks_are_left_out_for_all() -> None:
    table, labels = benchmark(3, {"a": 0.0, "b": 0.0})
    table["sharp"]["a"].pop("i0")
    table["sharp"]["b"].pop("i1")
    table["sharp"]["b"]["i2"] = 1000.0
    table["sharp"]["a"].pop("i2")
    sharp, smooth = rank_columns(table, labels)
    assert (sharp.items, sharp.left_out, smooth.items) == (125, 3, 128)
    assert max(system.value for system in sharp.systems) < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["sharp"].pop("b"), "Column 'sharp' has 1 systems"),
        (lambda t: t["sharp"].update(b={"other": 1.0}), "Column 'sharp' has no item that all of"),
        (lambda t: t["sharp"]["a"].update(i5=float("nan")), "Item 'i5' of column"),
    ],
)
def test_what_cannot_be_ranked_is_named(change, message) -> None:
    table, labels = benchmark(4, {"a": 0.0, "b": 0.0})
    change(table)
    with pytest.raises(MetricError, match=message):
        rank_columns(table, labels)


def test_an_unknown_column_or_level_is_named() -> None:
    table, labels = benchmark(4, {"a": 0.0, "b": 0.0})
    with pytest.raises(MetricError, match="`lower_is_better` names 'blur'"):
        rank_columns(table, labels, lower_is_better=frozenset({"blur"}))
    with pytest.raises(MetricError, match="`level` got 95"):
        rank_columns(table, labels, level=95)


def test_equal_values_share_the_smaller_rank() -> None:
    assert ranks_of(np.array([[3.0, 3.0, 5.0, 1.0], [1.0, 2.0, 3.0, 4.0]])).tolist() == [[2, 2, 1, 4], [4, 3, 2, 1]]


# -- totals


SCALES = {"sharp": Scale(minimum=-4.0, maximum=4.0, weight=1.0), "smooth": Scale(minimum=5.0, maximum=-3.0, weight=3.0)}


def by_system(table: Columns) -> Columns:
    names = next(iter(table.values()))
    return {name: {column: systems[name] for column, systems in table.items()} for name in names}


def test_a_total_is_the_weighted_mean_of_normalised_means() -> None:
    table, labels = benchmark(5, {"a": 0.0, "b": 0.5})
    found = composite_totals(by_system(table), labels, SCALES, draws=1000)
    for name in ("a", "b"):
        sharp, smooth = (np.mean(list(table[column][name].values())) for column in ("sharp", "smooth"))
        assert found.totals[name].value == pytest.approx(0.25 * (sharp + 4) / 8 + 0.75 * (5 - smooth) / 8)
        assert found.totals[name].low < found.totals[name].value < found.totals[name].high


def test_a_total_of_one_column_has_the_interval_of_its_mean() -> None:
    table, labels = benchmark(6, {"a": 0.3})
    values = table["sharp"]["a"]
    found = composite_totals(
        {"a": {"sharp": values}}, labels, {"sharp": Scale(minimum=-2.0, maximum=3.0)}, draws=4000
    ).totals["a"]
    mean = bootstrap_mean(list(values.values()), [labels[item] for item in values], draws=4000)
    width = mean.high - mean.low
    assert found.low * 5 - 2 == pytest.approx(mean.low, abs=0.03 * width)
    assert found.high * 5 - 2 == pytest.approx(mean.high, abs=0.03 * width)


def test_columns_that_vary_together_widen_a_total_and_opposite_ones_narrow_it() -> None:
    table, labels = benchmark(7, {"a": 0.0})
    sharp = table["sharp"]["a"]
    scales = {"x": Scale(minimum=0.0, maximum=1.0), "y": Scale(minimum=0.0, maximum=1.0)}
    opposite = {item: -value for item, value in sharp.items()}
    same = composite_totals({"a": {"x": sharp, "y": sharp}}, labels, scales, draws=1000).totals["a"]
    against = composite_totals({"a": {"x": sharp, "y": opposite}}, labels, scales, draws=1000).totals["a"]
    alone = bootstrap_mean(list(sharp.values()), [labels[item] for item in sharp], draws=1000)
    assert same.standard_error == pytest.approx(alone.standard_error, rel=0.1)
    assert against.standard_error == pytest.approx(0.0, abs=1e-12)


def test_ranks_of_totals_come_from_the_same_draws() -> None:
    table, labels = benchmark(8, {"a": 0.0, "b": 0.05, "c": 5.0})
    scales = {"sharp": Scale(minimum=-4.0, maximum=4.0), "smooth": Scale(minimum=-4.0, maximum=4.0)}
    found = composite_totals(by_system(table), labels, scales, draws=1000)
    assert found.ranks == {"a": (2, 3), "b": (2, 3), "c": (1, 1)}


def test_a_missing_column_is_an_error_and_never_zero() -> None:
    table, labels = benchmark(9, {"a": 0.0, "b": 0.0})
    systems = by_system(table)
    systems["b"].pop("smooth")
    with pytest.raises(MetricError, match=r"System 'b' has no values of \['smooth'\]"):
        composite_totals(systems, labels, SCALES)
    systems["b"]["smooth"] = {}
    with pytest.raises(MetricError, match=r"System 'b' has no values of \['smooth'\]"):
        composite_totals(systems, labels, SCALES)
    with pytest.raises(MetricError, match=r"System 'b' has no finite value of \['y'\]"):
        rank_stability({"a": {"x": 1.0, "y": 1.0}, "b": {"x": 1.0}})


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (Scale(minimum=1.0, maximum=1.0), "two different numbers"),
        (Scale(minimum=0.0, maximum=1.0, weight=-1.0), "The weight of 'sharp' got -1.0"),
        (Scale(minimum=0.0, maximum=1.0, weight=0.0), "without a weight above 0"),
    ],
)
def test_constants_that_make_no_total_are_refused(scale: Scale, message: str) -> None:
    table, labels = benchmark(10, {"a": 0.0})
    with pytest.raises(MetricError, match=message):
        composite_totals(by_system(table), labels, {"sharp": scale})


def test_few_clusters_give_a_total_without_interval() -> None:
    table, labels = benchmark(11, {"a": 0.0}, clusters=12)
    found = composite_totals(by_system(table), labels, SCALES)
    assert found.totals["a"].value is not None
    assert (found.totals["a"].low, found.totals["a"].note) == (None, "12 clusters; a bootstrap needs 30")
    assert (found.ranks, found.draws) == ({}, 0)
    assert composite_totals({}, labels, SCALES).totals == {}


def test_a_system_ahead_everywhere_is_best_under_all_weights_and_opposites_share() -> None:
    found = rank_stability(
        {"ahead": {"x": 0.9, "y": 0.8}, "one": {"x": 0.7, "y": 0.1}, "other": {"x": 0.1, "y": 0.7}}, draws=4000
    )
    assert (found["ahead"].rank_low, found["ahead"].rank_high, found["ahead"].best_share) == (1, 1, 1.0)
    for name in ("one", "other"):
        assert (found[name].rank, found[name].rank_low, found[name].rank_high, found[name].best_share) == (2, 2, 3, 0)


def test_shares_of_best_are_those_of_uniform_weights() -> None:
    # With weights w and 1 - w, `a` leads while 0.9 w > 0.3 w + 0.6 (1 - w): w > 1/2. Two columns make w uniform.
    found = rank_stability({"a": {"x": 0.9, "y": 0.0}, "b": {"x": 0.3, "y": 0.6}}, draws=20_000)
    assert found["a"].best_share == pytest.approx(0.5, abs=0.02)
    # 0.9 w > 0.1 w + 0.2 (1 - w): w > 1/5.
    found = rank_stability({"a": {"x": 0.9, "y": 0.0}, "b": {"x": 0.1, "y": 0.2}}, draws=20_000)
    assert found["a"].best_share == pytest.approx(0.8, abs=0.02)
    near = rank_stability({"a": {"x": 0.9, "y": 0.0}, "b": {"x": 0.1, "y": 0.2}}, concentration=200.0)
    assert near["a"].best_share == 1.0
    with pytest.raises(MetricError, match="`concentration` got 0"):
        rank_stability({"a": {"x": 1.0}}, concentration=0)


# -- Pareto


def test_the_pareto_set_is_what_no_other_dominates() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        table = {
            str(at): dict(zip("xyz", generator.integers(0, 4, 3).astype(float).tolist(), strict=True))
            for at in range(9)
        }
        found = pareto_set(table, {"x": "higher", "y": "lower", "z": "higher"})
        points = {name: np.array([row["x"], -row["y"], row["z"]]) for name, row in table.items()}
        expected = [
            name
            for name, point in points.items()
            if not any((other >= point).all() and (other > point).any() for other in points.values())
        ]
        assert list(found) == expected
        assert found


def test_a_pareto_set_needs_every_column() -> None:
    with pytest.raises(MetricError, match=r"System 'b' has no finite value of \['y'\]"):
        pareto_set({"a": {"x": 1, "y": 1}, "b": {"x": 1}}, {"x": "higher", "y": "higher"})
    with pytest.raises(MetricError, match="The direction of 'x' got 'up'"):
        pareto_set({"a": {"x": 1}}, {"x": "up"})
    with pytest.raises(MetricError, match="`directions` is empty"):
        pareto_set({"a": {"x": 1}}, {})
