"""Trainings in the leaderboard's file: who they are, and the numbers of their steps.

They are in tables of their own. No number of a suite's table is made from them: a trained model enters those when it
has been run on the suite, with the mark of what it began with.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.record import canonical_json
from anisora.harness.training_folder import CONFIG, RECORD, TrainingFolder, TrainingRecord, TrainingStatus
from anisora.leaderboards.database import Database
from anisora.leaderboards.ingest import rows_of
from anisora.leaderboards.training_numbers import numbers_of_steps

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["DuckDBTrainingLogger", "TrainingStore", "find_training_folders", "replace_trainings"]


class TrainingStore:
    """The trainings of a leaderboard file."""

    def __init__(self, path: Path | str, *, lock_wait_s: float = 30.0) -> None:
        """Name the file, which the first ``add`` creates.

        Args:
            path: The DuckDB file.
            lock_wait_s: How long an operation waits for other processes to finish with the file.
        """
        self._database = Database(Path(path).expanduser(), lock_wait_s=lock_wait_s)

    def add(self, folder: Path, status: TrainingStatus) -> TrainingRecord:
        """Store what the run folder of a training has, in the place of what was stored of it; return who it is.

        Raises:
            RecordError: The run folder cannot be read; the file is damaged, newer, or locked for too long.
        """
        training = TrainingFolder(folder)
        record, config, lines = training.read_record(), training.read_config(), training.read_log()
        self._database.write(lambda open_: _put(open_, record, config, lines, status, folder))
        return record

    def records(self) -> dict[str, TrainingRecord]:
        """Return {run id: who it is} of all trainings, sorted by the way to train, the model and the time."""
        query = "SELECT run_id, record FROM training_runs ORDER BY method, model, started, run_id"
        rows = self._database.read(lambda open_: rows_of(open_, query))
        return {str(run_id): TrainingRecord.model_validate_json(record) for run_id, record in rows}

    def steps(self, run_id: str) -> dict[str, list[tuple[int, float]]]:
        """Return {name: (step, value) in order} of a training.

        Raises:
            UnknownNameError: There is no such training.
        """
        if run_id not in (known := self.records()):
            raise UnknownNameError("training", run_id, known, 'Add it with "anisora leaderboard add-training".')
        query = "SELECT name, step, value FROM training_steps WHERE run_id = ? ORDER BY name, step"
        found: dict[str, list[tuple[int, float]]] = {}
        for name, step, value in self._database.read(lambda open_: rows_of(open_, query, [run_id])):
            found.setdefault(str(name), []).append((int(step), float(value)))
        return found


class DuckDBTrainingLogger:
    """Adds trainings to a leaderboard; satisfies ``protocols.TrainingLogger``."""

    def __init__(self, path: Path | str = "leaderboard.duckdb", lock_wait_s: float = 30.0) -> None:
        """Name the leaderboard file."""
        self._path, self._lock_wait_s = path, lock_wait_s

    def on_progress(self, folder: Path, status: TrainingStatus) -> None:
        """Add the training as it is now.

        Raises:
            RecordError: As ``TrainingStore.add``.
        """
        # A training that is at work is told again soon, and does not stand still for somebody who reads the file.
        wait = 1.0 if status == "running" else self._lock_wait_s
        TrainingStore(self._path, lock_wait_s=wait).add(folder, status)


def find_training_folders(runs: Path) -> list[Path]:
    """Return the run folders of trainings at or below a folder; they do not nest."""
    found = []
    for place, folders, names in os.walk(runs):
        folders.sort()
        if {RECORD, CONFIG} <= set(names):
            found.append(Path(place))
            folders.clear()
    return found


def replace_trainings(
    connection: "Connection", folders: Sequence[Path]
) -> tuple[tuple[str, ...], tuple[tuple[Path, str], ...]]:
    """Empty the tables of trainings and fill them from run folders; of one training the one begun last is taken.

    Returns:
        The ids of the trainings added, and the folders that cannot be read, each with the reason.
    """
    for table in ("training_steps", "training_runs"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608
    read, skipped = [], []
    for folder in map(TrainingFolder, folders):
        try:
            read.append((folder.read_record(), folder.read_config(), folder.read_log(), folder.status(), folder.path))
        except RecordError as error:
            skipped.append((folder.path, str(error)))
    read.sort(key=lambda training: training[0].started)
    for training in read:
        _put(connection, *training)
    return tuple(dict.fromkeys(record.run_id for record, *_ in read)), tuple(skipped)


def _put(
    connection: "Connection",
    record: TrainingRecord,
    config: dict[str, Any],
    lines: Sequence[dict[str, Any]],
    status: TrainingStatus,
    folder: Path,
) -> None:
    """Put a training in the place of what the tables have of it."""
    for statement in ("DELETE FROM training_steps WHERE run_id = ?", "DELETE FROM training_runs WHERE run_id = ?"):
        connection.execute(statement, [record.run_id])
    connection.execute(
        "INSERT INTO training_runs (run_id, method, model, untrained, status, seed, steps, planned, started, folder, "
        "config, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            record.run_id,
            record.method,
            record.model,
            record.untrained,
            status,
            config.get("seed"),
            lines[-1]["step"] if lines else 0,
            config.get("steps"),
            record.started,
            str(folder.resolve()),
            canonical_json(config),
            record.model_dump_json(),
        ],
    )
    if lines:
        connection.register("incoming", _step_table(record.run_id, lines))
        connection.execute("INSERT INTO training_steps SELECT run_id, step, name, value FROM incoming")
        connection.unregister("incoming")


def _step_table(run_id: str, lines: Sequence[dict[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    rows = [
        (each.step, name, value)
        for each in numbers_of_steps(lines)
        for name, value in each.numbers.items()
        if name != "step"
    ]
    steps, names, values = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "run_id": pa.array([run_id] * len(rows), pa.string()),
            "step": pa.array(steps, pa.int64()),
            "name": pa.array(names, pa.string()),
            "value": pa.array(values, pa.float64()),
        }
    )
