from dataclasses import replace

import pytest
from records import make_record

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.leaderboards.pareto import pareto_rows, with_pareto
from anisora.leaderboards.table import LeaderboardTable, TableColumn, build_table

VALUES = {
    "still": {"sharpness": 0.9, "flicker": 0.1, "flow": 0.0},
    "lively": {"sharpness": 0.7, "flicker": 0.2, "flow": 4.0},
    "beaten": {"sharpness": 0.7, "flicker": 0.3, "flow": 9.0},
    "partial": {"sharpness": 0.99, "flicker": None, "flow": 5.0},
}


def table(*, truth: bool = True) -> LeaderboardTable:
    records = [make_record(name, values) for name, values in VALUES.items()]
    if truth:
        records.append(make_record("ground-truth", {"sharpness": 1.0, "flicker": 0.0, "flow": 5.0}, reference=True))
    return build_table(records)


def test_what_is_beaten_in_every_column_is_out() -> None:
    front, lacking = pareto_rows(table(), ["sharpness", "flicker"])
    assert [row.model for row in front] == ["still"]
    assert [row.model for row in lacking] == ["partial"]


def test_a_trade_off_has_several_and_motion_is_a_distance_to_the_ground_truth() -> None:
    front, _ = pareto_rows(table(), ["flicker", "flow"])
    # Distances to 5: still 5, lively 1, beaten 4.
    assert [row.model for row in front] == ["lively", "still"]


def test_ground_truth_and_baselines_do_not_take_part() -> None:
    made = table()
    rows = tuple(replace(row, baseline=row.model == "still") for row in made.rows)
    front, _ = pareto_rows(replace(made, rows=rows), ["sharpness", "flicker"])
    assert [row.model for row in front] == ["lively"]


def test_the_footnote_names_columns_systems_and_who_was_left_out() -> None:
    notes = with_pareto(table(), ["flicker", "flow"]).footnotes[-2:]
    assert notes[0].startswith("Pareto set of flicker, flow: lively, still. No other system")
    assert notes[1] == "Left out of the Pareto set for want of a value: partial."
    assert with_pareto(table(), ["sharpness", "flow"], "zh").footnotes[-1].startswith("sharpness、flow 的帕累托集：")


def test_columns_that_cannot_be_traded_off_are_refused() -> None:
    with pytest.raises(ConfigError, match="`--pareto` got 'flow'; expected at least two columns"):
        pareto_rows(table(), ["flow"])
    with pytest.raises(UnknownNameError, match="'speed' is not known"):
        pareto_rows(table(), ["flow", "speed"])
    with pytest.raises(DataError, match="`flow` is best closest to the ground truth, and the table has none"):
        pareto_rows(table(truth=False), ["sharpness", "flow"])
    column = TableColumn(metric="absent", header="Absent", direction=None)
    with pytest.raises(DataError, match="No run of the table has `absent`"):
        pareto_rows(build_table([make_record("a", {"sharpness": 1.0})], ["sharpness", column]), ["sharpness", "absent"])
