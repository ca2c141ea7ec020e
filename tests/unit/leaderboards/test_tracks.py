"""Runs of several tracks in one table, and rows that are means over tracks."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from records import make_record, make_scores

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.record import RunRecord, RunSpec
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.leaderboards.pairing import Side
from anisora.leaderboards.render import render
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.tracks import derived_side, together, track_table
from anisora.leaderboards.words import Words

WORDS = Words("en")
ITEMS = [f"item{place:02d}" for place in range(20)]
LEVELS = {"i2v": 1.0, "keyframe": 2.0, "last": 3.0, "mid": 5.5}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite file with four tracks and one derived from three of them."""
    content = {
        "name": "posed",
        "version": 1,
        "title": "Posed",
        "dataset": "manifest:path=items.jsonl",
        "track": "i2v",
        "tracks": {name: {"keyframes": {0: "image"}} for name in LEVELS},
        "derived": {"interp-avg": {"mean_of": ["keyframe", "last", "mid"]}},
        "columns": [{"metric": "sharpness", "header": "Sharpness"}],
    }
    path = tmp_path / "posed.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def side(track: str, suite: Path, model: str = "alpha", **changes: Any) -> Side:
    """A run whose scores are the level of its track and a little more for each item."""
    values: Mapping[str, float | None] = changes.pop(
        "values", {item: LEVELS[track] + at / 100 for at, item in enumerate(ITEMS)}
    )
    rows = make_scores(values)
    known = [value for value in values.values() if value is not None]
    record = make_record(
        model,
        {"sharpness": math.fsum(known) / len(known)},
        suite="posed",
        track=track,
        run_id=f"{model}-{track}",
        fields={"track": track, "items": {"count": 20, "sha256": track}, **changes.pop("fields", {})},
        **changes,
    )
    spec: RunSpec = record.spec.model_copy(update={"suite_source": f"{suite}@{track}"})
    return record.model_copy(update={"spec": spec}), rows


def board_of(*sides: Side) -> Leaderboard:
    board = Leaderboard.open(":memory:")
    for record, rows in sides:
        board.add(record, rows)
    return board


def value_of(run: Side) -> float | None:
    return run[0].results[0].value


def test_the_derived_run_is_the_mean_item_by_item_with_an_interval_of_its_own(suite: Path) -> None:
    record, rows = derived_side("interp-avg", {track: side(track, suite) for track in ("keyframe", "last", "mid")})
    assert [row.value for row in rows] == pytest.approx([3.5 + at / 100 for at in range(20)])
    clusters = {row.item_id: row.cluster for row in side("mid", suite)[1]}
    expected = clustered_mean([3.5 + at / 100 for at in range(20)], [clusters[item] for item in ITEMS])
    (result,) = record.results
    assert (result.value, result.low, result.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert (result.scored, result.unscored, result.clusters) == (20, 0, expected.clusters)
    assert (record.spec.track, record.protocol.fields["track"]) == ("interp-avg", "mean of keyframe, last, mid")


def test_an_item_without_a_value_on_one_track_has_none_in_the_mean(suite: Path) -> None:
    lacking: dict[str, float | None] = dict.fromkeys(ITEMS, 9.0)
    lacking["item03"] = None
    parts = {"keyframe": side("keyframe", suite), "mid": side("mid", suite, values=lacking)}
    record, rows = derived_side("avg", parts)
    found: dict[str, ScoreRow] = {row.item_id: row for row in rows}
    assert (found["item03"].value, found["item03"].status) == (None, "unscored")
    assert found["item03"].note == "without a value on mid"
    assert found["item04"].value == pytest.approx((2.04 + 9) / 2)
    assert (record.results[0].scored, record.results[0].unscored) == (19, 1)


def test_all_tracks_stand_in_one_table_and_those_of_others_are_marked(suite: Path) -> None:
    truth = side("i2v", suite, "ground-truth", reference=True)
    other_truth = side("last", suite, "ground-truth", reference=True)
    board = board_of(truth, other_truth, *(side(track, suite) for track in LEVELS), side("i2v", suite, "beta"))
    table = track_table(board, "posed")
    values = {row.model: row.cells[0].value for row in table.rows}
    assert values == pytest.approx(
        {
            "alpha": 1.095,
            "alpha [interp-avg]": 3.595,
            "alpha [keyframe]": 2.095,
            "alpha [last]": 3.095,
            "alpha [mid]": 5.595,
            "beta": 1.095,
            "ground-truth": 1.095,
        }
    )
    marked = {row.model for row in table.rows if "track" in row.daggers}
    assert marked == {name for name in values if "[" in name}
    assert table.rows[-1].reference
    text = render(table)
    assert "alpha [mid]†" in text
    assert "alpha [interp-avg]: mean over the tracks keyframe, last, mid, item by item." in text
    assert "differs: " in text
    assert "所有条件设置" in track_table(board, "posed", language="zh").title


def test_a_derived_row_needs_all_its_tracks_and_says_which_is_absent(suite: Path) -> None:
    made = together([side("i2v", suite), side("last", suite), side("mid", suite)], _suite(suite), WORDS)
    assert [record.spec.model for record, _ in made.sides] == ["alpha", "alpha [last]", "alpha [mid]"]
    assert made.notes == ("No row interp-avg of alpha: it has no run on keyframe.",)
    only = together([side("i2v", suite)], _suite(suite), WORDS)
    assert (len(only.sides), only.notes) == (1, ())


def test_runs_that_differ_in_more_than_the_track_are_not_averaged(suite: Path) -> None:
    sides = [
        side("keyframe", suite),
        side("last", suite, fields={"encoder": "h264"}),
        side("mid", suite),
    ]
    made = together(sides, _suite(suite), WORDS)
    assert made.notes == ("No row interp-avg of alpha: its runs differ in encoder.",)
    with pytest.raises(RecordError, match="differ in `encoder`"):
        track_table(board_of(*sides), "posed")


def test_the_newest_run_of_a_track_counts(suite: Path) -> None:
    old = side("mid", suite, values=dict.fromkeys(ITEMS, 100.0), finished="2025-01-01T00:00:00+00:00")
    old = (old[0].model_copy(update={"run_id": "old"}), old[1])
    made = together([old, *(side(track, suite) for track in ("keyframe", "last", "mid"))], _suite(suite), WORDS)
    derived = next(each for each in made.sides if each[0].spec.model.endswith("[interp-avg]"))
    assert value_of(derived) == pytest.approx(3.595)


def test_models_are_asked_for_by_their_own_name(suite: Path) -> None:
    board = board_of(side("i2v", suite, "beta"), *(side(track, suite) for track in LEVELS))
    table = track_table(board, "posed", models=["alpha"])
    assert [row.model for row in table.rows] == [
        "alpha",
        "alpha [keyframe]",
        "alpha [last]",
        "alpha [mid]",
        "alpha [interp-avg]",
    ]
    assert [row.model for row in track_table(board, "posed", models=["alpha-mid", "beta"]).rows] == [
        "alpha [mid]",
        "beta",
    ]
    with pytest.raises(UnknownNameError, match=r"'alhpa' is not known\. Did you mean 'alpha'\?"):
        track_table(board, "posed", models=["alhpa"])


def test_without_the_suite_at_hand_runs_are_marked_and_nothing_is_derived(suite: Path) -> None:
    board = board_of(*(side(track, suite) for track in LEVELS))
    suite.unlink()
    table = track_table(board, "posed")
    assert [row.model for row in table.rows] == ["alpha", "alpha [keyframe]", "alpha [last]", "alpha [mid]"]


def test_a_track_is_named_behind_the_suite(suite: Path) -> None:
    board = board_of(side("i2v", suite), side("last", suite))
    assert board.suite_key("posed@last") == "posed@1:last"
    with pytest.raises(UnknownNameError, match=r"Track 'lst' is not known\. Did you mean 'last'\?"):
        board.suite_key("posed@lst")
    with pytest.raises(RecordError, match=r"several tracks; name one of: posed@1:i2v, posed@1:last; or show all with"):
        board.suite_key("posed")


def _suite(path: Path) -> Any:
    from anisora.harness.suite import load_suite

    return load_suite(str(path))


def test_records_of_tracks_are_left_as_they_are(suite: Path) -> None:
    runs: list[RunRecord] = [side(track, suite)[0] for track in LEVELS]
    board = board_of(*(side(track, suite) for track in LEVELS))
    track_table(board, "posed")
    assert {record.run_id: record for record in board.runs()} == {record.run_id: record for record in runs}
