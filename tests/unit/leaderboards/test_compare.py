import json
from itertools import product
from math import sqrt

import numpy as np
import pytest
from records import make_record, make_run, make_scores

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.statistics.matched_motion import matched_motion_difference
from anisora.harness.statistics.paired_difference import paired_difference
from anisora.leaderboards.compare import Comparison, MetricComparison, compare
from anisora.leaderboards.pairing import Side
from anisora.leaderboards.render import EXTRAPOLATED, render_comparison
from anisora.leaderboards.store import Leaderboard

ITEMS = [f"item-{at:03}" for at in range(60)]


def drawn(seed: int, mean: float, spread: float = 0.1) -> dict[str, float]:
    values = np.random.default_rng(seed).normal(mean, spread, len(ITEMS))
    return dict(zip(ITEMS, values.tolist(), strict=True))


def side(model: str, metrics: dict[str, dict[str, float]], **fields) -> Side:
    record = make_record(model, dict.fromkeys(metrics, 0.5), **fields)
    return record, [
        row for metric, values in metrics.items() for row in make_scores(values, metric=metric, clusters=12)
    ]


def only(comparison: Comparison) -> MetricComparison:
    assert len(comparison.metrics) == 1
    return comparison.metrics[0]


def test_the_difference_is_the_paired_one_over_items() -> None:
    left, right = drawn(1, 0.6), drawn(2, 0.5)
    one, other = side("alpha", {"sharpness": left}), side("beta", {"sharpness": right})
    found = only(compare(one, other))
    clusters = {row.item_id: row.cluster for row in one[1]}
    assert found.difference == paired_difference(left, right, clusters)
    assert found.left == pytest.approx(np.mean(list(left.values())), rel=1e-12)
    assert found.right == pytest.approx(np.mean(list(right.values())), rel=1e-12)
    assert found.verdict == "left better"
    assert found.wins == sum(left[item] > right[item] for item in ITEMS)


@pytest.mark.parametrize(
    ("metric", "verdict"), [("sharpness", "left better"), ("flicker", "right better"), ("flow", None)]
)
def test_who_is_better_follows_the_direction(metric: str, verdict: str | None) -> None:
    greater, less = side("alpha", {metric: drawn(1, 0.9)}), side("beta", {metric: drawn(2, 0.1)})
    found = only(compare(greater, less))
    assert found.verdict == (verdict or "no direction without ground truth")
    if verdict:
        assert (found.wins > found.losses) == (verdict == "left better")
        mirrored = only(compare(less, greater))
        assert mirrored.verdict == {"left better": "right better", "right better": "left better"}[verdict]


def test_equal_systems_are_not_distinguishable() -> None:
    values = drawn(1, 0.5)
    found = only(compare(side("alpha", {"sharpness": values}), side("beta", {"sharpness": values})))
    assert (found.verdict, found.corrected_p, found.difference.ties) == ("not distinguishable", 1.0, 60)


def test_p_values_are_corrected_over_the_metrics_shown() -> None:
    names = ("sharpness", "flicker", "ssim")
    left = side("alpha", {name: drawn(at, 0.52) for at, name in enumerate(names)})
    right = side("beta", {name: drawn(at + 10, 0.5) for at, name in enumerate(names)})
    found = compare(left, right)
    corrected = [metric.corrected_p for metric in found.metrics]
    alone = [only(compare(left, right, [name])).corrected_p for name in names]
    assert corrected == pytest.approx(by_all_flips(left, right, names), abs=1e-12)
    assert alone == pytest.approx([by_all_flips(left, right, (name,))[0] for name in names], abs=1e-12)
    assert all(many >= one for many, one in zip(corrected, alone, strict=True))
    assert max(corrected) > max(alone) or max(corrected) == pytest.approx(max(alone))
    assert found.method == "exact over 4096 sign flips of clusters"


def by_all_flips(left: Side, right: Side, names: tuple[str, ...]) -> list[float]:
    """Correct by step-down max-T the slow way: all flips of twelve clusters, one statistic at a time."""
    values = [{(row.metric, row.item_id): row.value for row in rows} for _, rows in (left, right)]
    cluster = {row.item_id: row.cluster for row in left[1]}
    clusters = sorted(set(cluster.values()))

    members = {group: [item for item in ITEMS if cluster[item] == group] for group in clusters}
    sums = {
        name: {
            group: sum(values[0][name, item] - values[1][name, item] for item in members[group]) for group in clusters
        }
        for name in names
    }

    def statistic(name: str, sign: dict[str, float]) -> float:
        total = len(ITEMS)
        mean = sum(sign[group] * sums[name][group] for group in clusters) / total
        variance = sum(
            (sign[group] * sums[name][group] - mean * len(members[group])) ** 2 / (1 - len(members[group]) / total)
            for group in clusters
        )
        return abs(mean) * total / sqrt(variance)

    found = {name: statistic(name, dict.fromkeys(clusters, 1.0)) for name in names}
    order = sorted(names, key=lambda name: -found[name])
    counts = dict.fromkeys(names, 0)
    for signs in product((1.0, -1.0), repeat=len(clusters)):
        flipped = {name: statistic(name, dict(zip(clusters, signs, strict=True))) for name in names}
        for place, name in enumerate(order):
            counts[name] += max(flipped[rest] for rest in order[place:]) >= found[name] * (1 - 1e-9)
    p_values, largest = {}, 0.0
    for name in order:
        largest = max(largest, counts[name] / 2 ** len(clusters))
        p_values[name] = largest
    return [p_values[name] for name in names]


def test_the_smallest_detectable_gap_falls_with_the_spread_of_the_differences() -> None:
    left = side("alpha", {"sharpness": drawn(1, 0.52), "ssim": {item: 0.5 + at / 1e4 for at, item in enumerate(ITEMS)}})
    right = side("beta", {"sharpness": drawn(2, 0.5), "ssim": dict.fromkeys(ITEMS, 0.5)})
    wide, narrow = (metric.power.minimum_detectable_effect for metric in compare(left, right).metrics)
    assert wide is not None
    assert narrow is not None
    assert wide > 10 * narrow > 0
    estimate = compare(left, right).metrics[0].difference.estimate
    assert 2 * estimate.standard_error < wide < 5 * estimate.standard_error


def test_seeds_are_averaged_within_an_item_first() -> None:
    record = make_record("alpha", {"sharpness": 0.5})
    low, high = dict.fromkeys(ITEMS, 0.2), {ITEMS[0]: 0.8}
    left = [*make_scores(low, clusters=12), *make_scores(high, seed=1, clusters=12)]
    right = make_scores(dict.fromkeys(ITEMS, 0.2), clusters=12)
    found = only(compare((record, left), (make_record("beta", {"sharpness": 0.5}), right)))
    assert found.difference.items == 60
    assert found.difference.estimate.value == pytest.approx(0.3 / 60)
    assert (found.wins, found.difference.ties) == (1, 59)


def test_items_without_a_score_on_one_side_are_counted_and_not_imputed() -> None:
    left = {**drawn(1, 0.5), ITEMS[0]: None, ITEMS[1]: None}
    right = {item: value for item, value in drawn(2, 0.5).items() if item != ITEMS[2]}
    found = only(compare(side("alpha", {"sharpness": left}), side("beta", {"sharpness": right})))
    assert (found.difference.items, found.difference.only_left, found.difference.only_right) == (57, 1, 2)


def test_a_reference_metric_compares_distances_to_the_ground_truth() -> None:
    true = dict.fromkeys(ITEMS, 0.5)
    near, far = drawn(1, 0.5, 0.02), drawn(2, 0.9, 0.02)
    sides = (side("alpha", {"flow": near}), side("beta", {"flow": far}))
    reference = side("ground-truth", {"flow": true}, reference=True, fields={"encoder": "h264", "seeds": [7]})
    found = only(compare(*sides, reference=reference))
    expected = np.mean([abs(near[item] - 0.5) - abs(far[item] - 0.5) for item in ITEMS])
    assert found.difference.estimate.value == pytest.approx(expected, rel=1e-12)
    assert (found.by_distance, found.verdict, found.wins) == (True, "left better", 60)
    assert only(compare(sides[1], sides[0], reference=reference)).verdict == "right better"


def test_a_ground_truth_that_was_scored_otherwise_is_not_used() -> None:
    sides = (side("alpha", {"flow": drawn(1, 0.5)}), side("beta", {"flow": drawn(2, 0.9)}))
    reference = side("ground-truth", {"flow": drawn(3, 0.5)}, reference=True, fields={"decode": "tagged"})
    compared = compare(*sides, reference=reference)
    assert only(compared).verdict == "no direction without ground truth"
    assert compared.notes == ("The ground truth run smoke-ground-truth differs in `decode` and is not used.",)


def test_few_clusters_give_no_interval_and_no_verdict() -> None:
    rows = make_scores(drawn(1, 0.5), clusters=5), make_scores(drawn(2, 0.9), clusters=5)
    records = make_record("alpha", {"sharpness": 0.5}), make_record("beta", {"sharpness": 0.9})
    found = only(compare((records[0], rows[0]), (records[1], rows[1])))
    assert (found.verdict, found.corrected_p) == ("no interval", None)
    assert found.difference.estimate.note == "5 clusters; an interval needs 6"


def test_no_shared_item_is_said() -> None:
    found = only(
        compare(
            side("alpha", {"sharpness": {"a": 1.0}}),
            side("beta", {"sharpness": {"b": 1.0}}),
        )
    )
    assert (found.verdict, found.left, found.right) == ("no shared items", None, None)
    assert (found.difference.only_left, found.difference.only_right) == (1, 1)


def test_differing_protocols_are_listed_and_not_refused() -> None:
    left = side("alpha", {"sharpness": drawn(1, 0.5)})
    right = side(
        "beta",
        {"sharpness": drawn(2, 0.5)},
        fields={"encoder": "h264"},
        metric_fields={"sharpness": {"version": 2}},
    )
    assert compare(left, right).protocol == (("encoder", "ffv1/bgr0", "h264"), ("sharpness.version", 1, 2))
    assert compare(left, left).protocol == ()


def test_what_cannot_be_compared_is_named() -> None:
    one = side("alpha", {"sharpness": drawn(1, 0.5)})
    with pytest.raises(RecordError, match=r"are of different suites: 'smoke@1' and 'smoke@2'"):
        compare(one, side("beta", {"sharpness": drawn(1, 0.5)}, version=2))
    with pytest.raises(RecordError, match=r"have no metric in common"):
        compare(one, side("beta", {"flicker": drawn(1, 0.5)}))
    with pytest.raises(UnknownNameError, match=r"Did you mean 'sharpness'"):
        compare(one, one, ["sharpnes"])
    with pytest.raises(RecordError, match=r"has random weights"):
        compare(one, side("tiny", {"sharpness": drawn(1, 0.5)}, untrained="untrained:normal:0"))
    other = make_record("beta", {"sharpness": 0.5}), make_scores({ITEMS[0]: 0.5}, clusters=1)
    with pytest.raises(RecordError, match=r"Item 'item-000' is in the cluster 'c"):
        compare(one, other)


def test_the_leaderboard_compares_by_name_and_finds_the_ground_truth() -> None:
    with Leaderboard.open(":memory:") as board:
        for at, model in enumerate(("alpha", "beta")):
            board.add(*make_run(model, seed=at, metrics=("flow", "sharpness")))
        bare = board.compare("smoke", "alpha", "beta")
        assert bare.metrics[0].verdict == "no direction without ground truth"
        board.add(*make_run("ground-truth", seed=9, metrics=("flow",), reference=True))
        found = board.compare("smoke", "alpha", "smoke-beta", level=0.9)
        assert found.metrics[0].by_distance
        assert (found.left_run, found.right_run, found.level) == ("smoke-alpha", "smoke-beta", 0.9)
        with pytest.raises(UnknownNameError, match=r"'alpa' is not known. Did you mean 'alpha'"):
            board.compare("smoke", "alpa", "beta")


# -- at equal motion


def moving() -> tuple[Side, Side, dict[str, dict[str, float]]]:
    """Alpha moves less and is ahead in sharpness for that alone; in ``ssim`` it is ahead beyond it."""
    generator = np.random.default_rng(5)
    motion = {"alpha": generator.gamma(4, 1, 60), "beta": generator.gamma(4, 1, 60) + 1.5}
    values = {
        f"{name} {metric}": dict(zip(ITEMS, found.tolist(), strict=True))
        for name, gain in (("alpha", 0.7), ("beta", 0.0))
        for metric, found in (
            ("flow", motion[name]),
            ("sharpness", -0.8 * motion[name] + generator.normal(0, 0.4, 60)),
            ("ssim", -0.8 * motion[name] + gain + generator.normal(0, 0.4, 60)),
        )
    }
    sides = [side(name, {m: values[f"{name} {m}"] for m in ("flow", "sharpness", "ssim")}) for name in motion]
    return sides[0], sides[1], values


def test_an_advantage_of_stillness_is_gone_at_equal_motion() -> None:
    left, right, values = moving()
    found = {metric.column.metric: metric for metric in compare(left, right, motion="flow").metrics}
    assert found["flow"].at_equal_motion is None
    clusters = {row.item_id: row.cluster for row in left[1]}
    for name in ("sharpness", "ssim"):
        assert found[name].verdict == "left better"
        numbers = [values[f"{system} {metric}"] for metric in (name, "flow") for system in ("alpha", "beta")]
        assert found[name].at_equal_motion == matched_motion_difference(*numbers, clusters)
    still, beyond = (found[name].at_equal_motion.at_equal_motion for name in ("sharpness", "ssim"))
    assert still.low < 0 < still.high
    assert beyond.low > 0
    assert all(metric.at_equal_motion is None for metric in compare(left, right).metrics)


def test_the_comparison_at_equal_motion_is_printed_and_what_was_never_seen_marked() -> None:
    left, right, _ = moving()
    text = render_comparison(compare(left, right, motion="flow"))
    assert "At equal flow " in text.splitlines()[2]
    assert "At equal flow: the difference that a straight line gives" in text
    assert EXTRAPOLATED + " one side" not in text
    faster = {item: value + 50 for item, value in drawn(3, 1.0).items()}
    apart = compare(
        side("alpha", {"sharpness": drawn(1, 0.5), "flow": drawn(2, 1.0)}),
        side("beta", {"sharpness": drawn(4, 0.5), "flow": faster}),
        motion="flow",
    )
    assert "? one side has more flow in every item: equal was never seen." in render_comparison(apart)
    rows = json.loads(render_comparison(apart, "json"))["metrics"]
    row = next(row for row in rows if row["metric"] == "sharpness")
    assert (row["matched_by"], row["extrapolated"]) == ("flow", True)
    assert row["at_equal_motion_low"] < row["at_equal_motion"] < row["at_equal_motion_high"]


def test_motion_that_cannot_match_says_why_and_an_unknown_one_is_named() -> None:
    left = side("alpha", {"sharpness": drawn(1, 0.5), "flow": dict.fromkeys(ITEMS, 1.0)})
    right = side("beta", {"sharpness": drawn(2, 0.5), "flow": dict.fromkeys(ITEMS, 3.0)})
    found = compare(left, right, motion="flow")
    assert found.notes[-1].startswith("sharpness at equal flow: Motion differs by -2.0 in every item")
    with pytest.raises(
        UnknownNameError, match=r"'flicker' is not known\. Run .alpha. .smoke-alpha. has: sharpness, flow"
    ):
        compare(left, right, motion="flicker")
