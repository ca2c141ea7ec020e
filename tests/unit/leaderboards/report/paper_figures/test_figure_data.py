"""What all figures share: names of systems, the best of them, and numbers as drawn."""

import pytest
from drawn_systems import COLUMNS, drawn_systems
from records import make_record
from scored_systems import TRUTH

from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, axis_of, best_rows, named, systems_of
from anisora.leaderboards.table import build_table


def test_systems_have_their_marks_and_roles() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}),
        make_record("beta", {"sharpness": 0.5}, fields={"decode": "tagged"}),
        make_record("frozen", {"sharpness": 0.5}),
        make_record(TRUTH, {"sharpness": 0.5}, reference=True),
    ]
    table = build_table(records, allow_diff=["decode"], baselines=["smoke-frozen"])
    assert {(system.label, system.role) for system in systems_of(table).values()} == {
        ("alpha", "system"),
        ("beta†", "system"),
        ("frozen", "baseline"),
        (TRUTH, "reference"),
    }
    untrained = build_table([make_record("tiny", {"sharpness": 0.5}, untrained="random:1")], show_untrained=True)
    assert [system.label for system in systems_of(untrained).values()] == ["tiny [UNTRAINED]"]


def test_two_runs_of_one_name_are_told_apart() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}, run_id=f"smoke-alpha-{at}", fields={"decode": decode})
        for at, decode in enumerate(("reference", "tagged"))
    ]
    table = build_table(records, models=["smoke-alpha-0", "smoke-alpha-1"], allow_diff=["decode"])
    labels = [system.label for system in systems_of(table).values()]
    assert len(set(labels)) == 2


def test_all_rows_but_the_ground_truth_are_shown_where_there_is_room() -> None:
    table = drawn_systems().table
    assert [row.model for row in best_rows(table, 3)] == ["alpha", "beta", "gamma"]


def test_the_best_are_those_of_the_least_mean_place_whatever_the_direction() -> None:
    # By sharpness d is best, by flicker a, by flow (closest to 0.5) b; a system without a column is judged by the rest.
    means = {"a": 0.1, "b": 0.48, "c": 0.6, "d": 0.9, TRUTH: 0.5}
    table = drawn_systems(means, changed={("d", "flow"): {}, ("d", "flicker"): {}}).table
    places = {"a": (3 + 0 + 2) / 8, "b": (2 + 1 + 0) / 8, "c": (1 + 2 + 1) / 8, "d": 0.0}
    order = sorted(places, key=places.__getitem__)
    assert order == ["d", "b", "c", "a"]
    for most in (1, 2, 3):
        assert {row.model for row in best_rows(table, most)} == set(order[:most])
    assert [row.model for row in best_rows(table, 3)] == ["b", "c", "d"]  # in the order of the table


@pytest.mark.parametrize(
    ("value", "printed"), [(0.5, "50.0"), (-0.25, "−25.0"), (-0.0001, "0.0"), (0.0, "0.0"), (12.34567, "1234.6")]
)
def test_numbers_are_printed_as_in_the_table_with_a_true_minus(value: float, printed: str) -> None:
    axis = axis_of(drawn_systems().table.columns[0])
    assert (axis.label, axis.printed(value)) == ("Sharp ↑", printed)
    assert axis.printed(value).replace("−", "-") == drawn_systems().table.columns[0].format(value)


def test_names_are_joined_in_the_language() -> None:
    assert named(["a", "b"], FigureWords("en")) == "a, b"
    assert named(["a", "b"], FigureWords("zh")) == "a、b"


def test_columns_keep_scale_and_decimals() -> None:
    for column, wanted in zip(drawn_systems().table.columns, COLUMNS, strict=True):
        axis = axis_of(column)
        assert (axis.metric, axis.scale, axis.decimals) == (wanted.metric, wanted.scale, wanted.decimals)
