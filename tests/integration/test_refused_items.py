"""A model that cannot serve an item of a suite: told beforehand, or left out, counted and shown."""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from small_suite import anisora, build_suite, only_run

from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import ACTIONS, Scene, render
from anisora.harness.runfolder import RunFolder, sha256_of_file
from anisora.harness.stages.run import RunOptions, rerun, rerun_folder, rescore, run
from anisora.harness.types import Clip
from anisora.leaderboards.store import Leaderboard

METRICS = ["sharpness", "temporal_flickering"]


def change_items(suite: Path, change: Callable[[int, dict[str, object]], None]) -> Path:
    """Rewrite the items of a suite as JSON lines, each changed by its place."""
    rows: list[dict[str, object]] = [
        dict(row) for row in csv.DictReader((suite.parent / "items.csv").read_text(encoding="utf-8").splitlines())
    ]
    for place, row in enumerate(rows):
        change(place, row)
    lines = [json.dumps(row) + "\n" for row in rows]
    (suite.parent / "items.jsonl").write_text("".join(lines), encoding="utf-8")
    content = yaml.safe_load(suite.read_text(encoding="utf-8"))
    suite.write_text(yaml.safe_dump({**content, "dataset": "manifest:path=items.jsonl"}), encoding="utf-8")
    return suite


@pytest.fixture(scope="module")
def without_a_truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three items, the second without ground truth."""

    def forget(place: int, row: dict[str, object]) -> None:
        if place == 1:
            del row["ground_truth"]

    return change_items(build_suite(tmp_path_factory.mktemp("suite"), items=3), forget)


@pytest.fixture(scope="module")
def with_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three items, of which the second is not said to be a scene."""

    def remember(place: int, row: dict[str, object]) -> None:
        if place != 1:
            row["scene"] = asdict(scene(place))

    return change_items(build_suite(tmp_path_factory.mktemp("suite"), items=3), remember)


def scene(place: int) -> Scene:
    """What ``build_suite`` draws."""
    return Scene(action=ACTIONS[place], seed=place, width=96, height=64, num_frames=6)


def test_a_refused_item_stops_the_run_before_anything_is_written(without_a_truth: Path, tmp_path: Path) -> None:
    options = RunOptions(out=tmp_path / "runs", db=tmp_path / "board.duckdb", mlflow=None, cache=tmp_path / "cache")
    with pytest.raises(DataError, match="`damage/blur` can make no clip for 1 of 3 items: the first, 'item01', has"):
        run(str(without_a_truth), "damage/blur", metrics=METRICS, options=options)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_tells_it_in_one_line(without_a_truth: Path, tmp_path: Path) -> None:
    done = anisora(["run", without_a_truth, "--model", "damage/blur", "--no-mlflow"], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "has no ground truth, which model 'damage/blur' damages" in done.stderr
    assert done.stderr.rstrip().endswith("or pass --allow-missing to go on without them.")


def test_a_dry_run_counts_what_will_be_made_and_what_is_missing(without_a_truth: Path, tmp_path: Path) -> None:
    arguments = ["run", without_a_truth, "--model", "damage/blur", "--allow-missing", "--dry-run"]
    done = anisora(arguments, cwd=tmp_path, check=True)
    assert "3 items, 2 clips to generate, 1 missing" in done.stdout


def test_an_allowed_run_counts_the_item_as_missing_and_can_be_taken_up_again(
    without_a_truth: Path, tmp_path: Path
) -> None:
    options = RunOptions(out=tmp_path / "runs", db=tmp_path / "board.duckdb", mlflow=None, cache=tmp_path / "cache")

    def again() -> RunFolder:
        record = run(str(without_a_truth), "damage/blur", metrics=METRICS, allow_missing=True, options=options)
        assert record.run_id == only_run(options.out).name
        return RunFolder(options.out / record.run_id)

    folder = again()
    record = folder.read_record()
    assert (record.status, record.errors, record.items) == ("ok", 0, 3)
    assert record.missing == ["item01-0"]
    assert [(row.item_id, row.seed) for row in folder.read_clips()] == [("item00", 0), ("item02", 0)]
    assert {(result.scored, result.errors) for result in record.results} == {(2, 0)}
    board = Leaderboard.open(tmp_path / "board.duckdb")
    (row,) = board.build_table(board.suite_key("small")).rows
    assert row.coverage == (2, 3, 2)

    before = sha256_of_file(folder.scores_path)
    repeated = again().read_record()
    assert sha256_of_file(folder.scores_path) == before
    assert repeated.counters.decodes == 0
    assert repeated.missing == record.missing
    assert repeated.protocol == record.protocol

    more = rescore(folder.path, ["flow_magnitude"], options=options)
    assert more.missing == record.missing
    assert {result.metric: result.scored for result in more.results} == dict.fromkeys([*METRICS, "flow_magnitude"], 2)

    repeat = rerun(folder.path)
    assert repeat.missing == record.missing
    assert repeat.protocol == more.protocol
    assert sha256_of_file(RunFolder(rerun_folder(folder.path)).scores_path) == sha256_of_file(folder.scores_path)


def test_an_interrupted_run_goes_on_without_the_item(without_a_truth: Path, tmp_path: Path) -> None:
    options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=tmp_path / "cache")
    run(str(without_a_truth), "damage/blur", metrics=METRICS, allow_missing=True, options=options)
    folder = RunFolder(only_run(options.out))
    before = sha256_of_file(folder.scores_path)
    for path in (folder.record_path, folder.scores_path, folder.media / "item02-0.mkv"):
        path.unlink()
    record = run(str(without_a_truth), "damage/blur", metrics=METRICS, allow_missing=True, options=options)
    assert record.missing == ["item01-0"]
    assert sha256_of_file(folder.scores_path) == before


def test_outfits_are_swapped_in_the_items_that_are_scenes(with_scenes: Path, tmp_path: Path) -> None:
    options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"1 of 3 items: the first, 'item01', is no rendered scene"):
        run(str(with_scenes), "damage/outfit-swap", metrics=METRICS, options=options)
    record = run(str(with_scenes), "damage/outfit-swap", metrics=METRICS, allow_missing=True, options=options)
    assert (record.status, record.missing) == ("ok", ["item01-0"])
    folder = RunFolder(options.out / record.run_id)
    with DecoderPool() as pool:
        for place in (0, 2):
            path = folder.media / f"item{place:02d}-0.mkv"
            frames, _ = pool.read_frames(Clip(path=path, digest=sha256_of_file(path)))
            changed = (frames != render(scene(place))).any(axis=(1, 2, 3))
            assert changed.tolist() == [False, False, False, True, True, True]


def test_a_suite_without_any_scene_has_no_outfits_to_swap(without_a_truth: Path, tmp_path: Path) -> None:
    options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=tmp_path / "cache")
    with pytest.raises(
        DataError, match="can make no clip for any of the 3 items of suite 'small': the first, 'item00'"
    ):
        run(str(without_a_truth), "damage/outfit-swap", metrics=METRICS, allow_missing=True, options=options)
    assert list(tmp_path.iterdir()) == []
