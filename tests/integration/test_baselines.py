"""Degenerate baselines on the board of a small suite, run when they are asked for."""

from pathlib import Path

import pytest
from small_suite import anisora, build_suite

from anisora.harness.errors import RecordError
from anisora.harness.record import RunRecord
from anisora.harness.stages.run import evaluate, run
from anisora.harness.stages.session import RunOptions
from anisora.leaderboards.baselines import BASELINES, add_baselines, baseline_runs, is_baseline
from anisora.leaderboards.store import Leaderboard

METRICS = ["temporal_flickering", "flow_magnitude"]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A leaderboard with the ground truth and one system whose clips are in H.264."""
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    suite = build_suite(tmp_path / "suite", items=7)
    options = RunOptions(out=tmp_path / "runs", db=tmp_path / "board.duckdb", mlflow=None)
    run(str(suite), "ground-truth", metrics=METRICS, options=options)
    run(str(suite), "damage/blur:severity=0.5", metrics=METRICS, encoder="h264:crf=18", options=options)
    return tmp_path / "board.duckdb"


def added(board: Path, metrics: list[str] = METRICS) -> dict[str, str]:
    options = RunOptions(out=board.parent / "runs", mlflow=None)
    opened = Leaderboard.open(board)
    return add_baselines(opened, opened.suite_key("small"), metrics, board, options)


def records(board: Path) -> list[RunRecord]:
    return Leaderboard.open(board).runs()


def test_all_five_are_run_once_and_stand_apart(board: Path) -> None:
    assert added(board) == {}
    first = [record.run_id for record in records(board)]
    assert len(first) == 2 + len(BASELINES)
    assert added(board) == {}
    assert [record.run_id for record in records(board)] == first

    opened = Leaderboard.open(board)
    runs = baseline_runs(opened, "small@1")
    table = opened.build_table("small", METRICS, baselines=runs)
    systems, baselines, truth = table.groups
    assert [row.model for row in systems] == ["damage/blur:severity=0.5"]
    assert [row.model.partition(":")[0] for row in baselines] == sorted(BASELINES)
    assert [row.model for row in truth] == ["ground-truth"]
    assert not any(cell.best for row in baselines for cell in row.cells)
    frozen = next(row for row in baselines if row.model.startswith("damage/freeze"))
    assert frozen.cells[0].above_reference
    assert any(note.startswith("Baselines stand apart") for note in table.footnotes)
    assert any(note.startswith("Baselines have `encoder` 'ffv1/") for note in table.footnotes)


def test_without_the_flag_another_codec_is_refused_as_ever(board: Path) -> None:
    added(board)
    with pytest.raises(RecordError, match=r"differ in `encoder` .* pass --allow-diff encoder"):
        Leaderboard.open(board).build_table("small", METRICS)


def test_a_metric_that_a_baseline_lacks_is_scored(board: Path) -> None:
    added(board)
    added(board, [*METRICS, "sharpness"])
    runs = baseline_runs(Leaderboard.open(board), "small@1")
    scored = [{result.metric for result in Leaderboard.open(board).get(run_id).results} for run_id in runs]
    assert scored == [{*METRICS, "sharpness"}] * len(BASELINES)


def test_a_damage_of_another_severity_or_of_some_items_is_no_baseline(board: Path) -> None:
    suite = board.parent / "suite" / "suite.yaml"
    options = RunOptions(out=board.parent / "runs", db=None, mlflow=None)
    made = [
        run(str(suite), "damage/freeze:severity=0.5", metrics=METRICS, options=options),
        run(str(suite), "damage/freeze", metrics=METRICS, limit=3, options=options),
        run(str(suite), "damage/freeze", metrics=METRICS, options=options),
        evaluate(str(suite), videos=board.parent / "suite", model="mine", metrics=METRICS, options=options),
    ]
    assert [is_baseline(record) for record in made] == [False, False, True, False]


def test_the_command_scores_what_lacks_and_shows_it_apart(board: Path) -> None:
    arguments = [
        "leaderboard",
        "small",
        "--db",
        board,
        "--metrics",
        ",".join(METRICS),
        "--out",
        "runs",
        "--with-baselines",
    ]
    shown = anisora(arguments, cwd=board.parent, check=True, ANISORA_CACHE=str(board.parent / "cache"))
    groups = shown.stdout.split("-------  ")
    assert all(name in shown.stdout for name in BASELINES)
    assert "Baselines stand apart" in shown.stdout
    assert len(groups) > 3
    assert "damage/freeze: scoring" in shown.stderr
    again = anisora(arguments, cwd=board.parent, check=True, ANISORA_CACHE=str(board.parent / "cache"))
    assert again.stdout == shown.stdout
    assert "scoring" not in again.stderr
