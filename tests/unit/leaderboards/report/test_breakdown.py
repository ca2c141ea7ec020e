import pytest
from scored_systems import TRUTH, Scored, rows_of

from anisora.leaderboards.report.breakdown import Breakdown, GroupCell, break_down

LABELS = {"a": "walk", "b": "walk", "c": "run", "d": "talk"}
SYSTEMS = {
    "alpha": {"sharpness": {"a": 1.0, "b": 2.0, "c": 4.0, "d": None}, "flicker": {"a": 0.5, "c": 0.25}},
    "beta": {"sharpness": {"a": 3.0, "b": None, "c": 0.0}},
    TRUTH: {"sharpness": {"a": 5.0, "b": 7.0, "c": 9.0, "d": 11.0}},
}


def cells(breakdown: Breakdown, metric: str) -> dict[str, list[tuple[float | None, int]]]:
    found = next(entry for entry in breakdown.metrics if entry.column.metric == metric)
    return {
        group: [(cell.value, cell.items) for cell in row]
        for group, row in zip(breakdown.groups, found.cells, strict=True)
    }


def test_every_group_has_the_mean_of_each_system_over_its_scored_items() -> None:
    scored = Scored(SYSTEMS)
    found = break_down("label", LABELS, scored.table, scored.scores)
    assert (found.name, found.groups, found.sizes) == ("label", ("run", "talk", "walk"), (1, 1, 2))
    assert [row.model for row in scored.table.rows] == ["alpha", "beta", TRUTH]
    assert cells(found, "sharpness") == {
        "run": [(4.0, 1), (0.0, 1), (9.0, 1)],
        "talk": [(None, 0), (None, 0), (11.0, 1)],
        "walk": [(1.5, 2), (3.0, 1), (6.0, 2)],
    }
    assert cells(found, "flicker") == {
        "run": [(0.25, 1), (None, 0), (None, 0)],
        "talk": [(None, 0)] * 3,
        "walk": [(0.5, 1), (None, 0), (None, 0)],
    }


def test_metrics_are_in_the_order_of_the_table() -> None:
    scored = Scored(SYSTEMS)
    found = break_down("label", LABELS, scored.table, scored.scores)
    assert tuple(metric.column for metric in found.metrics) == scored.table.columns


def test_an_item_counts_once_however_many_seeds_it_has() -> None:
    scored = Scored({"alpha": {"sharpness": {"a": 1.0, "b": 2.0}}})
    scored.scores["smoke-alpha"] += rows_of("sharpness", {"a": 5.0}, seed=1)
    found = break_down("label", LABELS, scored.table, scored.scores)
    assert cells(found, "sharpness")["walk"] == [(2.5, 2)]


def test_the_order_of_rows_changes_nothing() -> None:
    values = {f"i{at}": 0.1 * at + 1e-9 for at in range(40)}
    scored = Scored({"alpha": {"sharpness": values}})
    groups = {item: "odd" if int(item[1:]) % 2 else "even" for item in values}
    backwards = {run: rows[::-1] for run, rows in scored.scores.items()}
    there = break_down("style", groups, scored.table, scored.scores)
    assert break_down("style", dict(reversed(groups.items())), scored.table, backwards) == there


def test_items_outside_the_grouping_are_left_out() -> None:
    scored = Scored({"alpha": {"sharpness": {"a": 1.0, "stranger": 100.0}}})
    found = break_down("label", LABELS, scored.table, scored.scores)
    assert found.metrics[0].cells == (
        (GroupCell(value=None, items=0),),
        (GroupCell(value=None, items=0),),
        (GroupCell(value=1.0, items=1),),
    )


def test_a_table_needs_its_rows() -> None:
    scored = Scored(SYSTEMS)
    with pytest.raises(KeyError, match="smoke-beta"):
        break_down("label", LABELS, scored.table, {"smoke-alpha": [], "smoke-ground-truth": []})
