import itertools

import pytest
from scored_systems import TRUTH, Scored

from anisora.leaderboards.report.choice import KINDS, Choice, choose_items, percentiles

FIVE = ("a", "b", "c", "d", "e")


def told(choices: tuple[Choice, ...]) -> list[tuple[str, str]]:
    return [(choice.item, choice.kind) for choice in choices]


def chosen(systems: dict, count: int = 1) -> tuple[Choice, ...]:
    scored = Scored(systems)
    return choose_items(scored.table, scored.scores, count=count)


def test_percentiles_go_from_the_worst_to_the_best() -> None:
    values = {("run", item): float(value) for item, value in zip(FIVE, (10, 50, 30, 20, 40), strict=True)}
    up = percentiles(values, higher_is_better=True)
    assert [up["run", item] for item in FIVE] == [0, 1, 0.5, 0.25, 0.75]
    down = percentiles(values, higher_is_better=False)
    assert [down["run", item] for item in FIVE] == [1, 0, 0.5, 0.75, 0.25]


def test_equal_clips_share_the_middle_of_their_places() -> None:
    values = {("run", item): value for item, value in zip(FIVE, (2.0, 1.0, 2.0, 2.0, 3.0), strict=True)}
    assert percentiles(values, higher_is_better=True) == {
        ("run", "b"): 0.0,
        ("run", "a"): 0.5,
        ("run", "c"): 0.5,
        ("run", "d"): 0.5,
        ("run", "e"): 1.0,
    }
    same = dict.fromkeys(values, 7.0)
    assert set(percentiles(same, higher_is_better=True).values()) == {0.5}


def test_one_clip_is_in_the_middle_and_none_is_nowhere() -> None:
    assert percentiles({("run", "a"): 3.0}, higher_is_better=True) == {("run", "a"): 0.5}
    assert percentiles({}, higher_is_better=True) == {}


def test_best_worst_and_disputed_by_hand() -> None:
    # One system, five items; places by sharpness (higher is better) and flicker (lower is better):
    #   a 0, 0.25  b 0.25, 0.5  c 0.5, 1  d 1, 0  e 0.75, 0.75
    found = chosen(
        {
            "alpha": {
                "sharpness": dict(zip(FIVE, (1.0, 2.0, 3.0, 5.0, 4.0), strict=True)),
                "flicker": dict(zip(FIVE, (0.4, 0.3, 0.1, 0.5, 0.2), strict=True)),
            }
        }
    )
    # Equally good are c and e, (0.5 + 1) / 2 and 0.75: the first by id.
    assert found == (
        Choice(item="c", kind="best", quality=0.75, dispute=0.25),
        Choice(item="a", kind="worst", quality=0.125, dispute=0.125),
        Choice(item="d", kind="disputed", quality=0.5, dispute=0.5),
    )


def test_clips_of_all_systems_share_one_order_and_an_item_is_their_mean() -> None:
    # Four clips: 1 2 3 4 have the places 0, 1/3, 2/3, 1.
    found = chosen({"alpha": {"sharpness": {"a": 1.0, "b": 3.0}}, "beta": {"sharpness": {"a": 4.0, "b": 2.0}}}, 2)
    assert [(choice.item, choice.quality, choice.dispute) for choice in found] == [
        ("a", pytest.approx((0 + 1) / 2), 0.0),
        ("b", pytest.approx((2 / 3 + 1 / 3) / 2), 0.0),
    ]


def test_dispute_is_within_a_system_and_not_between_systems() -> None:
    # The systems differ wholly and each agrees with itself in both columns.
    agreed = {"a": 1.0, "b": 2.0}, {"a": 2.0, "b": 1.0}
    found = chosen({f"system {at}": {"sharpness": values, "ssim": values} for at, values in enumerate(agreed)}, 2)
    assert {choice.dispute for choice in found} == {0.0}


def test_where_closeness_is_best_the_distance_to_the_ground_truth_of_the_item_counts() -> None:
    found = chosen({"alpha": {"flow": {"a": 1.0, "b": 9.0, "c": 5.0}}, TRUTH: {"flow": {"a": 3.0, "b": 9.5, "c": 4.0}}})
    assert told(found) == [("b", "best"), ("a", "worst"), ("c", "disputed")]
    assert [choice.quality for choice in found] == [1.0, 0.0, 0.5]


def test_without_ground_truth_a_column_of_closeness_says_nothing() -> None:
    assert chosen({"alpha": {"flow": {"a": 1.0, "b": 9.0}}}) == ()
    both = chosen({"alpha": {"flow": {"a": 1.0, "b": 9.0}, "sharpness": {"a": 2.0, "b": 1.0}}})
    assert [(choice.item, choice.quality, choice.dispute) for choice in both] == [("a", 1.0, 0.0), ("b", 0.0, 0.0)]


def test_the_ground_truth_is_not_placed() -> None:
    systems = {"alpha": {"sharpness": {"a": 1.0, "b": 2.0}}}
    assert chosen({**systems, TRUTH: {"sharpness": {"a": 9.0, "b": 0.0, "c": 5.0}}}) == chosen(systems)


def test_an_item_that_few_systems_have_is_not_chosen() -> None:
    systems = {
        "alpha": {"sharpness": {"rare": 9.0, "a": 1.0, "b": 2.0}},
        "beta": {"sharpness": {"a": 1.0, "b": 2.0, "half": 8.0}},
        "gamma": {"sharpness": {"a": 1.0, "b": 2.0, "half": 8.0}},
    }
    found = told(chosen(systems, 9))
    assert {item for item, _ in found} == {"a", "b", "half"}
    assert found[0] == ("half", "best")


def test_each_item_is_shown_once_and_equal_items_go_by_id() -> None:
    values = dict.fromkeys((*FIVE, "f", "g"), 1.0)
    for count, expected in (
        (1, [("a", "best"), ("b", "worst"), ("c", "disputed")]),
        (2, [(item, kind) for pair, kind in zip(("ab", "cd", "ef"), KINDS, strict=True) for item in pair]),
        (3, [*((item, "best") for item in "abc"), *((item, "worst") for item in "def"), ("g", "disputed")]),
        (0, []),
    ):
        assert told(chosen({"alpha": {"sharpness": values}}, count)) == expected


def test_neither_the_order_of_rows_nor_of_systems_matters() -> None:
    systems = {
        "alpha": {"sharpness": dict(zip(FIVE, (3.0, 1.0, 2.0, 2.0, 5.0), strict=True))},
        "beta": {"sharpness": dict(zip(FIVE, (1.0, 1.0, 4.0, 2.0, 0.0), strict=True))},
    }
    scored = Scored(systems)
    expected = choose_items(scored.table, scored.scores, count=1)
    assert {choice.kind for choice in expected} == set(KINDS)
    for order in itertools.permutations(range(5)):
        shuffled = {run: [rows[at] for at in order] for run, rows in reversed(scored.scores.items())}
        assert choose_items(scored.table, shuffled, count=1) == expected
    assert chosen(dict(reversed(systems.items()))) == expected


def test_a_table_of_the_ground_truth_alone_shows_nothing() -> None:
    assert chosen({TRUTH: {"sharpness": {"a": 1.0, "b": 2.0}}}) == ()
