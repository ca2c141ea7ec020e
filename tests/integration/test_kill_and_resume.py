"""A run that is killed anywhere and started again ends in the same bytes."""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from small_suite import COMMAND, anisora, build_suite, environment, only_run

from anisora.harness.failpoints import RUN_FAILPOINTS
from anisora.leaderboards.store import Leaderboard

pytestmark = pytest.mark.slow

MODEL = ["--model", "damage/blur:severity=0.5", "--workers", "1"]
STAGES = ("start", "generate", "score", "write", "ingest")
KEPT = ("clips.parquet", "scores.parquet", "errors.jsonl")


@dataclass(frozen=True)
class Undisturbed:
    suite: Path
    files: dict[str, bytes]
    scores: list[tuple[object, ...]]
    stages: dict[str, float]
    """{stage: seconds that it took}"""


def database_rows(path: Path) -> list[tuple[object, ...]]:
    board = Leaderboard.open(path)
    (record,) = board.runs()
    return [(result.metric, result.value, result.low, result.high, result.scored) for result in record.results]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    suite = build_suite(folder / "suite", items=6, num_frames=12)
    begun = time.time()
    anisora(["run", suite, *MODEL], cwd=folder, check=True)
    ended = time.time()
    run = only_run(folder / "runs")
    made = max(path.stat().st_mtime for path in (run / "clips").iterdir())
    marks = [
        begun,
        *(
            at
            for at in (
                (run / "spec.yaml").stat().st_mtime,
                made,
                (run / "clips.parquet").stat().st_mtime,
                (run / "record.json").stat().st_mtime,
            )
        ),
        ended,
    ]
    return Undisturbed(
        suite=suite,
        files={name: (run / name).read_bytes() for name in KEPT},
        scores=database_rows(folder / "leaderboard.duckdb"),
        stages={name: right - left for name, (left, right) in zip(STAGES, pairwise(marks), strict=True)},
    )


def assert_as_undisturbed(folder: Path, undisturbed: Undisturbed) -> None:
    run = only_run(folder / "runs")
    for name, content in undisturbed.files.items():
        assert (run / name).read_bytes() == content, name
    assert not [path for path in run.rglob("*") if path.suffix == ".tmp" or "journal" in path.name]
    assert database_rows(folder / "leaderboard.duckdb") == undisturbed.scores


@pytest.mark.parametrize("name", RUN_FAILPOINTS)
def test_a_kill_at_every_boundary_costs_no_byte(tmp_path: Path, undisturbed: Undisturbed, name: str) -> None:
    nth = (
        2
        if name.startswith(
            ("clip.", "preview.", "cache.", "journal.mid", "journal.before_w", "journal.after_w", "journal.after_f")
        )
        else 1
    )
    killed = anisora(["run", undisturbed.suite, *MODEL], cwd=tmp_path, ANISORA_FAILPOINT=f"{name}:kill:{nth}")
    assert killed.returncode == -signal.SIGKILL, (killed.stdout, killed.stderr)
    anisora(["run", undisturbed.suite, *MODEL], cwd=tmp_path, check=True)
    assert_as_undisturbed(tmp_path, undisturbed)


@pytest.mark.parametrize("action", ["enospc", "erofs"])
@pytest.mark.parametrize("name", [name for name in RUN_FAILPOINTS if name.endswith("before_write")])
def test_a_disk_that_cannot_be_written_is_one_line_and_costs_no_byte(
    tmp_path: Path, undisturbed: Undisturbed, name: str, action: str
) -> None:
    stopped = anisora(["run", undisturbed.suite, *MODEL], cwd=tmp_path, ANISORA_FAILPOINT=f"{name}:{action}:1")
    words = "No space left on device" if action == "enospc" else "Read-only file system"
    if name.startswith("cache."):  # a cache that cannot be written is told, and the run goes on without it
        assert stopped.returncode == 0, stopped.stderr
        run = only_run(tmp_path / "runs")
        assert words in (run / "log.txt").read_text()
    else:
        assert (stopped.returncode, len(stopped.stderr.splitlines())) == (1, 1), stopped.stderr
        assert words in stopped.stderr
        anisora(["run", undisturbed.suite, *MODEL], cwd=tmp_path, check=True)
    assert_as_undisturbed(tmp_path, undisturbed)


def _kill_in(stage: str, command: list[str], folder: Path, delay: float) -> None:
    """Start a program and kill it some time after it has come to a stage."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(ANISORA_CACHE=str(folder / "cache")),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and STAGES.index(_stage_reached(folder)) < STAGES.index(stage):
        time.sleep(0.002)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)  # the program alone: its decoders have to notice by themselves
        process.wait()


def _stage_reached(folder: Path) -> str:
    runs = folder / "runs"
    if not runs.is_dir() or not (found := [path for path in runs.iterdir() if (path / "spec.yaml").is_file()]):
        return "start"
    run = found[0]
    if (run / "record.json").is_file():
        return "ingest"
    if (run / "clips.parquet").is_file():
        return "write"
    return "score" if (run / "scores.journal.jsonl").is_file() else "generate"


def test_kills_at_twenty_random_times_cost_no_byte(tmp_path: Path, undisturbed: Undisturbed) -> None:
    chance = random.Random(20)
    reached = []
    for stage, seconds in undisturbed.stages.items():
        for place in range(4):
            folder = tmp_path / f"{stage}{place}"
            folder.mkdir()
            command = [*COMMAND, "run", str(undisturbed.suite), *MODEL]
            _kill_in(stage, command, folder, chance.uniform(0, seconds) if place else 0)
            reached.append(_stage_reached(folder))
            anisora(["run", undisturbed.suite, *MODEL], cwd=folder, check=True)
            assert_as_undisturbed(folder, undisturbed)
    assert {"start", "generate", "score"} <= set(reached), reached


def test_a_run_killed_five_times_in_a_row_still_ends_in_the_same_bytes(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    for name in (
        "clip.after_write:kill:3",
        "journal.mid_write:kill:2",
        "journal.after_flush:kill:2",
        "scores.after_flush:kill",
        "record.after_write:kill",
    ):
        assert anisora(["run", undisturbed.suite, *MODEL], cwd=tmp_path, ANISORA_FAILPOINT=name).returncode == -9
    anisora(["run", undisturbed.suite, *MODEL], cwd=tmp_path, check=True)
    assert_as_undisturbed(tmp_path, undisturbed)
