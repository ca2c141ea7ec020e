"""What must not change a number: workers, order, cache, interruption, another process beside."""

import subprocess
from pathlib import Path

import pytest
from small_suite import COMMAND, anisora, build_suite, environment, only_run

from anisora.harness.record import RunRecord
from anisora.leaderboards.store import Leaderboard

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_suite(tmp_path_factory.mktemp("suite"), items=6, num_frames=8)


def scores(folder: Path) -> bytes:
    return (only_run(folder / "runs") / "scores.parquet").read_bytes()


def run(suite: Path, folder: Path, *options: str) -> bytes:
    folder.mkdir()
    anisora(["run", suite, "--model", "damage/jitter:severity=0.5", *options], cwd=folder, check=True)
    return scores(folder)


def test_one_two_and_four_workers_give_the_same_bytes(tmp_path: Path, suite: Path) -> None:
    one = run(suite, tmp_path / "1", "--workers", "1")
    for workers in ("2", "4"):
        assert run(suite, tmp_path / workers, "--workers", workers) == one


def test_cached_and_fresh_features_give_the_same_bytes(tmp_path: Path, suite: Path) -> None:
    folder = tmp_path / "a"
    first = run(suite, folder, "--workers", "2")
    again = anisora(
        ["run", suite, "--model", "damage/jitter:severity=0.5", "--fresh", "--json"], cwd=folder, check=True
    )
    counters = RunRecord.model_validate_json(again.stdout).counters
    assert counters.forwards == {}  # clips generated anew have the same bytes, so all their features were there
    assert (counters.cache_misses, counters.frames) == (0, 0)
    assert scores(folder) == first
    assert run(suite, tmp_path / "off", "--cache", "off") == first


def test_metrics_added_later_give_the_rows_of_a_run_that_had_them_from_the_start(tmp_path: Path, suite: Path) -> None:
    whole = run(suite, tmp_path / "whole")
    parts = tmp_path / "parts"
    run(suite, parts, "--metrics", "psnr")
    anisora(
        [
            "rescore",
            only_run(parts / "runs"),
            "--metrics",
            "temporal_flickering,flow_magnitude,sharpness,ssim,condition_fidelity",
        ],
        cwd=parts,
        check=True,
    )
    assert scores(parts) == whole


def test_two_processes_share_one_cache_and_one_leaderboard(tmp_path: Path, suite: Path) -> None:
    models = ("damage/blur:severity=0.5", "damage/jitter:severity=0.5")
    processes = [
        subprocess.Popen(
            [*COMMAND, "run", str(suite), "--model", model, "--out", f"runs{place}"],
            cwd=tmp_path,
            text=True,
            env=environment(ANISORA_CACHE=str(tmp_path / "cache")),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for place, model in enumerate(models)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    records = Leaderboard.open(tmp_path / "leaderboard.duckdb").runs()
    assert sorted(record.spec.model for record in records) == sorted(models)
    alone = run(suite, tmp_path / "alone")
    assert (only_run(tmp_path / "runs1") / "scores.parquet").read_bytes() == alone


def test_the_same_run_twice_at_once_is_refused_by_name_or_waits_its_turn(tmp_path: Path, suite: Path) -> None:
    command = [*COMMAND, "run", str(suite), "--model", "damage/noise:severity=0.5"]
    processes = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(ANISORA_CACHE=str(tmp_path / "cache")),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    results = [(process.communicate(timeout=120), process.returncode) for process in processes]
    codes = sorted(code for _, code in results)
    assert codes in ([0, 0], [0, 1]), results
    for (_, errors), code in results:
        if code == 1:
            assert "is being written by process" in errors


def test_a_rerun_from_the_record_alone_gives_identical_rows(tmp_path: Path, suite: Path) -> None:
    run(suite, tmp_path / "a")
    folder = only_run(tmp_path / "a" / "runs")
    again = anisora(["rerun", folder], cwd=tmp_path / "a", check=True)
    assert "scores.parquet is identical" in again.stdout
