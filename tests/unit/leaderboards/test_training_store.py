"""The tables of trainings, from run folders with logs of known content."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.record import canonical_json
from anisora.harness.training_folder import TrainingFolder, TrainingRecord
from anisora.leaderboards.ingest import rows_of
from anisora.leaderboards.training_store import TrainingStore

LINES = [
    {
        "step": step,
        "loss": 0.1 * step,
        "kl": 0.01,
        "clip_fraction": 0.25,
        "reward/calm/mean": 0.5 + step,
        "reward/calm/std": 0.1,
        "reward/calm/min": 0.2,
        "reward/calm/max": 0.9,
        "reward/sharp/edges/mean": 3.0,
        "reward/zero_std_ratio": 0.0,
        "reward/invalid_ratio": 0.125,
        "reward/seconds_p95": 1.5,
        "note": "no number",
    }
    for step in (1, 2)
]


@pytest.fixture
def store(tmp_path: Path) -> TrainingStore:
    return TrainingStore(tmp_path / "board.duckdb")


def written(path: Path, lines: Sequence[dict[str, Any]] = LINES, *, run_id: str = "train-grpo-a") -> Path:
    path.mkdir(parents=True)
    folder = TrainingFolder(path)
    folder.write_record(
        TrainingRecord(
            run_id=run_id,
            method="grpo",
            model="anisora-v3:tiny",
            untrained=True,
            licence="Apache-2.0",
            started="2026-01-02T03:04:05+00:00",
        )
    )
    folder.config_path.write_text(yaml.safe_dump({"seed": 3, "steps": 2}))
    folder.log_path.write_text("".join(f"{canonical_json(line)}\n" for line in lines))
    return path


def test_every_number_of_a_log_has_a_row(store: TrainingStore, tmp_path: Path) -> None:
    store.add(written(tmp_path / "run"), "finished")
    steps = store.steps("train-grpo-a")
    assert sorted(steps) == sorted(name for name in LINES[0] if name not in ("step", "note"))
    assert steps["loss"] == [(1, 0.1), (2, 0.2)]
    assert steps["reward/invalid_ratio"] == [(1, 0.125), (2, 0.125)]


def test_each_reward_has_a_line_a_step(store: TrainingStore, tmp_path: Path) -> None:
    store.add(written(tmp_path / "run"), "running")
    query = "SELECT step, reward, mean, std, low, high FROM training_reward ORDER BY reward, step"
    assert store._database.read(lambda connection: rows_of(connection, query)) == [
        (1, "calm", 1.5, 0.1, 0.2, 0.9),
        (2, "calm", 2.5, 0.1, 0.2, 0.9),
        (1, "sharp/edges", 3.0, None, None, None),
        (2, "sharp/edges", 3.0, None, None, None),
    ]


def test_a_training_that_is_told_of_again_is_replaced(store: TrainingStore, tmp_path: Path) -> None:
    folder = written(tmp_path / "run")
    store.add(folder, "running")
    TrainingFolder(folder).log_path.write_text(f"{canonical_json(LINES[0])}\n")  # as a log that was cut
    for _ in range(2):
        store.add(folder, "stopped")
        assert store.steps("train-grpo-a")["loss"] == [(1, 0.1)]
    query = "SELECT run_id, untrained, status, seed, steps, planned FROM training_runs"
    rows = store._database.read(lambda connection: rows_of(connection, query))
    assert rows == [("train-grpo-a", True, "stopped", 3, 1, 2)]


def test_a_training_without_a_step_is_there(store: TrainingStore, tmp_path: Path) -> None:
    store.add(written(tmp_path / "run", []), "stopped")
    assert list(store.records()) == ["train-grpo-a"]
    assert store.steps("train-grpo-a") == {}


def test_a_name_that_is_not_known_and_a_folder_that_is_damaged_are_told(store: TrainingStore, tmp_path: Path) -> None:
    folder = written(tmp_path / "run")
    store.add(folder, "stopped")
    with pytest.raises(UnknownNameError, match=r"Training 'train-grpo-b' is not known\. Did you mean 'train-grpo-a'"):
        store.steps("train-grpo-b")
    TrainingFolder(folder).config_path.write_text("- a list")
    with pytest.raises(RecordError, match=r"config\.yaml` cannot be read \(list\); expected what a training wrote"):
        store.add(folder, "stopped")
    TrainingFolder(folder).record_path.write_text("{}")
    with pytest.raises(RecordError, match=r"run\.json` cannot be read: .* validation errors"):
        store.add(folder, "stopped")
