import re

import pytest
from records import make_record, make_result, make_run, make_scores

from anisora.harness.errors import MissingExtra, RecordError, UnknownNameError
from anisora.leaderboards.comparability import DAGGERS, REFERENCE_EXEMPT, dagger, shortened
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.table import LeaderboardTable, TableColumn, build_table, tidy_rows


def models_of(table: LeaderboardTable) -> list[str]:
    return [row.model for row in table.rows]


def cell(table: LeaderboardTable, model: str, metric: str):
    row = next(row for row in table.rows if row.model == model)
    return next(cell for cell in row.cells if cell.metric == metric)


def best_in(table: LeaderboardTable, metric: str) -> list[str]:
    return [row.model for row in table.rows if any(cell.metric == metric and cell.best for cell in row.cells)]


def truth(**fields):
    return make_record("ground-truth", fields.pop("results", {}), reference=True, **fields)


def test_a_table_holds_values_intervals_and_coverage() -> None:
    result = make_result("sharpness", 0.5, scored=17, unscored=2, errors=1, clusters=9)
    column = TableColumn(metric="sharpness", header="Sharp", direction=None, scale=100, decimals=1)
    table = build_table([make_record("alpha", [result])], [column], title="My table")
    assert (table.title, table.suite_key) == ("My table", "smoke@1")
    made = table.columns[0]
    assert (made.header, made.direction, made.arrow, made.scale, made.decimals) == (
        "Sharp",
        "higher",
        "↑",
        100,
        1,
    )
    found = cell(table, "alpha", "sharpness")
    assert (found.value, found.low, found.high, found.level, found.interval) == (
        0.5,
        0.49,
        0.51,
        0.95,
        "clustered t",
    )
    assert (found.scored, found.unscored, found.errors, found.items, found.clusters) == (17, 2, 1, 20, 9)
    assert table.rows[0].coverage == (17, 20, 9)
    assert "Sharp of alpha: 2 unscored, 1 failed, of 20 items." in table.footnotes


def test_items_without_a_clip_are_told() -> None:
    table = build_table([make_record("alpha", [make_result("sharpness", 0.5, scored=15)])])
    assert "sharpness of alpha: 5 without a clip, of 20 items." in table.footnotes


def test_columns_are_all_metrics_of_the_runs_unless_told() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}),
        make_record("beta", {"flicker": 0.1, "sharpness": 0.4}),
    ]
    assert [column.metric for column in build_table(records).columns] == ["sharpness", "flicker"]
    assert [column.metric for column in build_table(records, ["flicker"]).columns] == ["flicker"]
    with pytest.raises(UnknownNameError, match=r"Metric 'flikker' is not known. Did you mean 'flicker'\?"):
        build_table(records, ["flikker"])


def test_a_missing_value_is_none_and_never_zero() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5, "flicker": None}),
        make_record("beta", {"sharpness": 0.0}),
    ]
    table = build_table(records)
    assert cell(table, "alpha", "flicker").value is None
    assert (cell(table, "beta", "flicker").value, cell(table, "beta", "flicker").note) == (
        None,
        "not in this run",
    )
    assert cell(table, "beta", "sharpness").value == 0


def test_a_column_of_the_suite_that_no_run_has_is_empty_and_has_no_direction() -> None:
    column = TableColumn(metric="psnr", header="PSNR", direction=None)
    table = build_table([make_record("alpha", {"sharpness": 0.5})], [column])
    assert (table.columns[0].direction, table.columns[0].arrow) == (None, "")
    assert cell(table, "alpha", "psnr").value is None


def test_the_best_value_follows_the_direction_and_ground_truth_is_never_best() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5, "flicker": 0.2, "flow": 1.0}),
        make_record("beta", {"sharpness": 0.6, "flicker": 0.1, "flow": 3.0}),
        truth(results={"sharpness": 0.9, "flicker": 0.0, "flow": 1.5}),
    ]
    table = build_table(records)
    assert best_in(table, "sharpness") == ["beta"]
    assert best_in(table, "flicker") == ["beta"]
    assert best_in(table, "flow") == ["alpha"]
    assert models_of(table) == ["alpha", "beta", "ground-truth"]


def test_values_that_print_alike_are_all_best() -> None:
    values = {"alpha": 0.500041, "beta": 0.500049, "gamma": 0.49996, "delta": 0.49994}
    records = [make_record(model, {"sharpness": value}) for model, value in values.items()]
    assert best_in(build_table(records), "sharpness") == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize(("value", "decimals"), [(0.0014, 6), (0.05, 5), (0.98, 4), (1.0, 3), (3521.0, 0), (0.0, 3)])
def test_a_metric_without_a_column_prints_four_digits(value: float, decimals: int) -> None:
    table = build_table([make_record("alpha", {"sharpness": value}), make_record("beta", {"sharpness": value / 3})])
    assert table.columns[0].decimals == decimals


def test_a_reference_metric_has_no_best_without_ground_truth() -> None:
    records = [make_record("alpha", {"flow": 1.0}), make_record("beta", {"flow": 3.0})]
    table = build_table(records)
    assert best_in(table, "flow") == []
    assert "→ closest to the ground truth is best, of which there is no run." in table.footnotes


def test_a_single_system_is_not_the_best_of_one() -> None:
    table = build_table([make_record("alpha", {"sharpness": 0.5}), truth(results={"sharpness": 0.4})])
    assert best_in(table, "sharpness") == []


def test_generated_values_above_ground_truth_are_starred() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.91, "flicker": 0.05, "flow": 9.0}),
        make_record("beta", {"sharpness": 0.90001, "flicker": 0.2, "flow": 1.5}),
        truth(results={"sharpness": 0.9, "flicker": 0.1, "flow": 1.5}),
    ]
    table = build_table(records)
    starred = {(row.model, cell.metric) for row in table.rows for cell in row.cells if cell.above_reference}
    assert starred == {("alpha", "sharpness"), ("alpha", "flicker")}
    assert any(note.startswith("★ better than the ground truth") for note in table.footnotes)


FIELD_VALUES = {
    "suite": ("smoke@1", "smoke@1b"),
    "track": (None, "i2v"),
    "items": ("a1", "b2"),
    "number_of_items": (20, 10),
    "seeds": ([0], [0, 1]),
    "samples_per_item": (1, 2),
    "frame_rate": ("native", "native, 16 where none"),
    "length": ("native", "first 49"),
    "resize": ("native", "256"),
    "prompt_rewriting": ("none", "v1"),
    "reward_mode": (None, "pixels"),
    "encoder": ("ffv1/bgr0", "h264/yuv420p"),
    "decode": ("reference", "tagged"),
    "aggregation": ("mean", "median"),
}


@pytest.mark.parametrize("field", FIELD_VALUES)
def test_runs_that_differ_in_one_field_are_refused_and_shown_with_a_dagger_on_request(field: str) -> None:
    usual, other = FIELD_VALUES[field]
    records = [
        make_record(model, {"sharpness": 0.5}, fields={field: value})
        for model, value in (("alpha", usual), ("beta", other), ("gamma", usual))
    ]
    message = (
        f"Runs `alpha` (smoke-alpha) and `beta` (smoke-beta) differ in `{field}` ({usual!r} vs {other!r}); "
        f"pass --allow-diff {field} to show them with a dagger, or leave some out with --models."
    )
    with pytest.raises(RecordError, match=f"^{re.escape(message)}$"):
        build_table(records)
    table = build_table(records, allow_diff={field})
    assert [row.daggers for row in table.rows] == [(), (field,), ()]
    assert [table.marks(row) for row in table.rows] == ["", "†", ""]
    assert f"† `{field}` differs: {other!r} for beta; {usual!r} for the others." in table.footnotes


def test_a_field_that_one_run_lacks_is_a_difference() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}),
        make_record("beta", {"sharpness": 0.5}, fields={"new": 1}),
    ]
    with pytest.raises(RecordError, match=r"differ in `new` \(None vs 1\)"):
        build_table(records)


def test_all_differing_fields_are_named_at_once_and_have_marks_of_their_own() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}),
        make_record("beta", {"sharpness": 0.5}, fields={"decode": "tagged", "encoder": "h264"}),
    ]
    message = r"differ in `decode` .*, `encoder` .*; pass --allow-diff decode --allow-diff encoder .* with daggers"
    with pytest.raises(RecordError, match=message):
        build_table(records)
    with pytest.raises(RecordError, match=r"differ in `encoder` \('ffv1/bgr0' vs 'h264'\); pass"):
        build_table(records, allow_diff=["decode"])
    table = build_table(records, allow_diff=["decode", "encoder"])
    assert table.daggers == (("decode", "†"), ("encoder", "‡"))
    assert table.marks(table.rows[1]) == "†‡"


def test_a_metric_that_differs_is_refused_only_where_it_is_shown() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5, "flicker": 0.1}),
        make_record("beta", {"sharpness": 0.5, "flicker": 0.1}, metric_fields={"flicker": {"version": 2}}),
        make_record("gamma", {"sharpness": 0.5}),
    ]
    with pytest.raises(RecordError, match=r"differ in `flicker.version` \(1 vs 2\)"):
        build_table(records)
    assert models_of(build_table(records, ["sharpness"])) == ["alpha", "beta", "gamma"]
    table = build_table(records, allow_diff=["flicker.version"])
    assert [row.daggers for row in table.rows] == [(), ("flicker.version",), ()]


def test_an_allowed_field_that_no_run_has_is_a_mistake() -> None:
    with pytest.raises(UnknownNameError, match=r"Protocol field 'encodr' is not known. Did you mean 'encoder'"):
        build_table([make_record("alpha", {"sharpness": 0.5})], allow_diff=["encodr"])


@pytest.mark.parametrize("field", sorted(REFERENCE_EXEMPT))
def test_ground_truth_may_differ_in_what_nobody_generated(field: str) -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}, fields={field: "one"}),
        truth(results={"sharpness": 0.9}, fields={field: "other"}),
    ]
    table = build_table(records)
    assert table.daggers == ()
    assert f"Ground truth has `{field}` 'other', the others 'one'." in table.footnotes


@pytest.mark.parametrize("field", ["items", "decode", "frame_rate"])
def test_ground_truth_must_agree_in_how_it_was_scored(field: str) -> None:
    records = [
        make_record("alpha", {"sharpness": 0.5}),
        truth(results={"sharpness": 0.9}, fields={field: "other"}),
    ]
    with pytest.raises(RecordError, match=f"differ in `{field}`"):
        build_table(records)


def test_two_ground_truths_are_refused() -> None:
    records = [truth(results={"flow": 1.0}), make_record("recorded-truth", {"flow": 1.1}, reference=True)]
    with pytest.raises(RecordError, match=r"`ground-truth` .* and `recorded-truth` .* are both ground truth"):
        build_table(records)


def test_runs_of_several_suites_share_no_table() -> None:
    records = [make_record("alpha", {"flow": 1.0}), make_record("beta", {"flow": 1.0}, version=2)]
    with pytest.raises(RecordError, match=r"Runs of the suites `smoke@1`, `smoke@2` cannot share a table"):
        build_table(records)


def test_runs_that_disagree_on_a_direction_are_refused() -> None:
    records = [
        make_record("alpha", {"flow": 1.0}),
        make_record("beta", [make_result("flow", 1.0, direction="higher")]),
    ]
    with pytest.raises(RecordError, match=r"Metric `flow` is 'higher' in run `smoke-beta` and 'reference' in another"):
        build_table(records)


def test_of_several_runs_of_a_model_the_newest_counts() -> None:
    records = [
        make_record("alpha", {"sharpness": value}, run_id=f"r{value}", finished=f"2026-01-0{day}T00:00:00+00:00")
        for value, day in ((0.3, 2), (0.1, 3), (0.2, 1))
    ]
    table = build_table(records)
    assert [row.run_id for row in table.rows] == ["r0.1"]
    assert "2 other runs of alpha under the same protocol not shown." in table.footnotes


def test_a_newer_run_of_fewer_metrics_does_not_hide_a_fuller_one() -> None:
    records = [
        make_record(
            "alpha",
            {"sharpness": 0.1, "flicker": 0.1},
            run_id="full",
            finished="2026-01-01T00:00:00+00:00",
        ),
        make_record("alpha", {"sharpness": 0.2}, run_id="part", finished="2026-01-02T00:00:00+00:00"),
    ]
    assert [row.run_id for row in build_table(records).rows] == ["full"]
    assert [row.run_id for row in build_table(records, ["sharpness"]).rows] == ["part"]


def test_failed_runs_are_left_out_and_counted() -> None:
    records = [
        make_record("alpha", {"sharpness": 0.1}),
        make_record("beta", {"sharpness": None}, status="failed"),
    ]
    table = build_table(records)
    assert models_of(table) == ["alpha"]
    assert "1 run that failed not shown." in table.footnotes
    with pytest.raises(RecordError, match=r"All 1 runs failed"):
        build_table(records[1:])
    with pytest.raises(RecordError, match=r"There is no run to show"):
        build_table([])


def test_untrained_runs_are_seen_only_among_themselves() -> None:
    trained, random = (
        make_record("alpha", {"sharpness": 0.1}),
        make_record("tiny", {"sharpness": 0.2}, untrained="untrained:normal:0"),
    )
    reference = truth(results={"sharpness": 0.9})
    table = build_table([trained, random])
    assert models_of(table) == ["alpha"]
    assert "1 run with random weights not shown." in table.footnotes
    with pytest.raises(RecordError, match=r"`tiny` .* has random weights .* and `alpha` .* never share a table"):
        build_table([trained, random], show_untrained=True)
    with pytest.raises(RecordError, match=r"pass --show-untrained"):
        build_table([random])
    table = build_table([trained, random, reference], models=["tiny", "ground-truth"], show_untrained=True)
    assert models_of(table) == ["tiny", "ground-truth"]
    assert table.rows[0].untrained == "untrained:normal:0"
    assert any(note.startswith("UNTRAINED") for note in table.footnotes)


def test_models_are_chosen_by_name_or_run_and_keep_the_order_asked_for() -> None:
    records = [make_record(model, {"sharpness": 0.1}) for model in ("alpha", "beta", "gamma")]
    assert models_of(build_table(records, models=["gamma", "smoke-alpha"])) == ["gamma", "alpha"]
    with pytest.raises(UnknownNameError, match=r"Model or run 'gama' is not known. Did you mean 'gamma'\? The suite"):
        build_table(records, models=["gama"])


def test_rows_are_sorted_by_name_or_best_first_with_ground_truth_last() -> None:
    records = [
        truth(results={"sharpness": 0.3, "flicker": 0.1, "flow": 2.0}),
        make_record("gamma", {"sharpness": 0.9, "flicker": 0.3, "flow": 2.1}),
        make_record("beta", {"sharpness": None, "flicker": 0.1, "flow": 9.0}),
        make_record("alpha", {"sharpness": 0.95, "flicker": 0.2, "flow": 0.5}),
    ]
    assert models_of(build_table(records)) == ["alpha", "beta", "gamma", "ground-truth"]
    assert models_of(build_table(records, sort_by="sharpness")) == ["alpha", "gamma", "beta", "ground-truth"]
    assert models_of(build_table(records, sort_by="flicker")) == ["beta", "alpha", "gamma", "ground-truth"]
    assert models_of(build_table(records, sort_by="flow")) == ["gamma", "alpha", "beta", "ground-truth"]
    with pytest.raises(UnknownNameError, match=r"Column 'sharpnes' is not known"):
        build_table(records, sort_by="sharpnes")


def test_why_there_is_no_interval_is_told_once() -> None:
    bare = {"low": None, "high": None, "interval": "", "interval_note": "3 clusters; an interval needs 6"}
    records = [make_record(model, [make_result("sharpness", 0.5, **bare)]) for model in ("alpha", "beta")]
    assert build_table(records).footnotes == ("No interval: 3 clusters; an interval needs 6.",)
    mixed = [*records, make_record("gamma", {"sharpness": 0.5})]
    assert build_table(mixed).footnotes == (
        "In brackets: 95 % interval (clustered t).",
        "No interval for sharpness of alpha, beta: 3 clusters; an interval needs 6.",
    )


def test_the_data_frame_has_the_content_of_the_table() -> None:
    with Leaderboard.open(":memory:") as board:
        for at, model in enumerate(("alpha", "beta")):
            board.add(*make_run(model, seed=at))
        frame = board.table("smoke")
        table = board.build_table("smoke")
    assert frame.to_dict("records") == tidy_rows(table)
    assert list(frame["model"]) == ["alpha", "alpha", "beta", "beta"]
    alpha = frame.query("model == 'alpha' and metric == 'sharpness'").iloc[0]
    assert alpha["value"] == cell(table, "alpha", "sharpness").value
    assert (alpha["scored"], alpha["items"]) == (20, 20)


def test_a_data_frame_without_its_extra_is_a_plain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anisora.leaderboards.store.missing_distributions", list)
    with Leaderboard.open(":memory:") as board, pytest.raises(MissingExtra, match="needs the extra 'pandas'"):
        board.table("smoke")


def test_long_values_are_cut_to_where_they_differ() -> None:
    left, right = [f"item-{at}" for at in range(900)], [f"item-{at}" for at in range(900)]
    right[500] = "changed"
    short = shortened(left, right)
    assert all(len(text) <= 50 for text in short)
    assert "item-500" in short[0]
    assert "changed" in short[1]
    assert shortened("a", None) == ("'a'", "None")


def test_every_field_has_a_mark_of_its_own() -> None:
    marks = [dagger(at) for at in range(3 * len(DAGGERS))]
    assert len(set(marks)) == len(marks)
    assert marks[: len(DAGGERS)] == list(DAGGERS)
    assert marks[len(DAGGERS)] == "††"


@pytest.mark.parametrize(("value", "text"), [(-0.0001, "0.00"), (0.0, "0.00"), (-0.5, "-0.50")])
def test_printed_zero_has_no_sign(value: float, text: str) -> None:
    column = TableColumn(metric="x", header="x", direction="higher", decimals=2)
    assert column.format(value) == text


def test_a_suite_of_one_model_can_be_told_apart_by_run() -> None:
    with Leaderboard.open(":memory:") as board:
        board.add(
            make_record("alpha", {"sharpness": 0.1}, run_id="r1"),
            make_scores({f"i{at}": 0.1 for at in range(9)}),
        )
        board.add(
            make_record("alpha", {"sharpness": 0.2}, run_id="r2"),
            make_scores({f"i{at}": 0.2 for at in range(9)}),
        )
        found = board.compare("smoke", "r1", "r2")
    assert (found.left, found.right) == ("alpha (r1)", "alpha (r2)")


def test_runs_over_a_part_of_the_items_do_not_stand_beside_whole_runs() -> None:
    whole, part = make_record("alpha", {"sharpness": 0.5}), make_record("beta", {"sharpness": 0.6})
    part = part.model_copy(update={"spec": part.spec.model_copy(update={"limit": 3})})
    table = build_table([whole, part])
    assert models_of(table) == ["alpha"]
    assert "1 run over a part of the items not shown." in table.footnotes
    assert models_of(build_table([part])) == ["beta"]
    assert models_of(build_table([whole, part], models=["beta"])) == ["beta"]
