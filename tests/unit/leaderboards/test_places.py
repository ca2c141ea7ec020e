import pytest
from records import make_record
from scored_systems import TRUTH

from anisora.leaderboards.places import first_and_second
from anisora.leaderboards.table import build_table, tidy_rows


@pytest.mark.parametrize(
    ("badness", "places"),
    [
        ([], (None, None)),
        ([1.0], (None, None)),
        ([1.0, 2.0], (1.0, None)),  # the last of two is no distinction
        ([2.0, 1.0, 3.0], (1.0, 2.0)),
        ([2.0, 1.0, 2.0, 3.0], (1.0, 2.0)),
        ([1.0, 2.0, 2.0], (1.0, None)),  # nobody comes behind
        ([1.0, 1.0, 2.0, 3.0], (1.0, None)),  # two have taken both places
        ([1.0, 1.0, 1.0], (1.0, None)),
        ([-3.0, -1.0, -2.0], (-3.0, -2.0)),
    ],
)
def test_places(badness: list[float], places: tuple[float | None, float | None]) -> None:
    assert first_and_second(badness) == places
    assert first_and_second(badness[::-1]) == places


def marked(values: dict[str, float | None], metric: str, **options: object) -> tuple[list[str], list[str]]:
    """Return the models that are best, and those that are second best."""
    records = [make_record(model, {metric: value}, reference=model == TRUTH) for model, value in values.items()]
    baselines = [record.run_id for record in records if record.spec.model == "frozen"]
    table = build_table(records, baselines=baselines, **options)  # type: ignore[arg-type]
    lines = tidy_rows(table)
    return [it["model"] for it in lines if it["best"]], [it["model"] for it in lines if it["second"]]


def test_second_is_decided_in_the_direction_of_the_metric_at_the_precision_of_print() -> None:
    assert marked({"a": 0.9, "b": 0.8, "c": 0.7}, "sharpness") == (["a"], ["b"])
    assert marked({"a": 0.9, "b": 0.8, "c": 0.7}, "flicker") == (["c"], ["b"])
    assert marked({"a": 0.9, "b": 0.80001, "c": 0.80002, "d": 0.7}, "sharpness") == (["a"], ["b", "c"])
    assert marked({"a": 0.9, "b": 0.5, "c": 0.1, TRUTH: 0.6}, "flow") == (["b"], ["a"])


def test_ground_truth_baselines_and_gaps_are_never_second() -> None:
    values = {"a": 0.9, "b": 0.8, "c": 0.7, "d": None, "frozen": 0.85, TRUTH: 0.95}
    assert marked(values, "sharpness") == (["a"], ["b"])
    assert marked({"a": 0.9, "b": 0.7, "frozen": 0.1, TRUTH: 0.8}, "sharpness") == (["a"], [])
