"""Released models at tiny size through the command line: generate, score, table; stopped, gone on, marked."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from small_suite import COMMAND, environment, only_run
from tiny_models import RELEASED, TRACKS

from anisora.harness.cli import _run
from anisora.harness.runfolder import RunFolder
from anisora.harness.suite import load_suite

METRICS = "sharpness,temporal_flickering"
RUN = ["--metrics", METRICS, "--no-mlflow"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("name", "track"), TRACKS, ids=[f"{name}-{track}" for name, track in TRACKS])
def test_every_model_goes_from_suite_to_table_on_every_track_that_it_declares(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, track: str
) -> None:
    # All columns of the suite once a model; those of pixels alone on its other tracks.
    metrics = [] if track == min(RELEASED[name].tracks) else ["--metrics", METRICS]
    argv = ["run", f"demo@{track}", "--model", f"{name}:tiny", "--limit", "2", *metrics]
    assert _run(argv, debug=True) == 0
    told = capsys.readouterr()
    assert "UNTRAINED" in told.out
    assert f"{name}:tiny (UNTRAINED" in told.err or f"{name} (UNTRAINED" in told.err
    run = RunFolder(only_run(folder / "runs"))
    record = run.read_record()
    assert (record.status, record.untrained, record.spec.track) == ("ok", f"untrained:{name}", track)
    statuses = {row.metric: row.status for row in run.read_scores()}
    assert statuses.items() >= dict.fromkeys(METRICS.split(","), "ok").items()
    assert "error" not in statuses.values()
    assert metrics or len(statuses) == len(load_suite("demo").columns)
    released = RELEASED[name]
    clips = run.read_clips()
    assert len(clips) == 2
    for clip in clips:
        assert (clip.frames, clip.fps) == (9, released.fps)
        details = json.loads((run.path / clip.path).with_suffix(".json").read_text())
        assert (details["untrained"], details["num_frames"], details["steps"]) == (True, 9, 2)
        assert details["seconds"] > 0
    assert _run(["leaderboard", f"demo@{track}"], debug=False) == 1
    assert "All 1 runs have random weights and are not shown" in capsys.readouterr().err
    assert _run(["leaderboard", f"demo@{track}", "--show-untrained"], debug=False) == 0
    assert f"{name}:tiny" in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_that_is_stopped_goes_on_where_it_was(folder: Path) -> None:
    argv = ["run", "demo@i2v", "--model", "anisora-v2:tiny", "--limit", "4", *RUN]
    whole, halves = folder / "whole", folder / "halves"
    for place in (whole, halves):
        place.mkdir()
    subprocess.run([*COMMAND, *argv], cwd=whole, env=environment(), check=True, capture_output=True)
    begun = subprocess.Popen([*COMMAND, *argv], cwd=halves, env=environment(), stderr=subprocess.DEVNULL)
    while begun.poll() is None and len(list(halves.glob("runs/*/clips/*.mkv"))) < 2:
        time.sleep(0.05)
    assert begun.poll() is None, "the run ended before it could be stopped"
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in halves.glob("runs/*/clips/*.mkv")}
    assert 2 <= len(kept) <= 4
    subprocess.run([*COMMAND, *argv], cwd=halves, env=environment(), check=True, capture_output=True)
    first, second = only_run(whole / "runs"), only_run(halves / "runs")
    for name in ("clips.parquet", "scores.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert {name: (second / "clips" / name).stat().st_mtime_ns for name in kept} == kept


@pytest.mark.slow
def test_runs_with_another_suffix_or_an_approximation_do_not_share_a_protocol(folder: Path) -> None:
    fields = {}
    for words in ("", ",suffix=none", ",cache=fastercache"):
        argv = ["run", "demo", "--model", f"anisora-v1:tiny,steps=4{words}", "--limit", "1", *RUN]
        assert _run(argv, debug=True) == 0
    for path in (folder / "runs").iterdir():
        record = RunFolder(path).read_record()
        fields[record.spec.model_spec] = record.protocol.fields
    plain, without, cached = (
        fields[f"anisora-v1:{words}"]
        for words in ("steps=4,tiny", "steps=4,suffix=none,tiny", "cache=fastercache,steps=4,tiny")
    )
    assert (plain["prompt_rewriting"], without["prompt_rewriting"]) == ("v1 suffix", "none")
    assert ("approximation" in plain, cached["approximation"]) == (False, "fastercache")
