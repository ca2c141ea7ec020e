"""Logs trainings to MLflow: an experiment for each way to train, a run for each training, a step for each step.

A training is logged while it is at work and when it ends, always from its run folder. Steps that MLflow has are not
logged again, so that a training that goes on goes on in its run.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import ConfigError
from anisora.harness.registry import Spec
from anisora.harness.training_folder import (
    AUDIT,
    AUDIT_PAGE,
    CONFIG,
    MAY_DIFFER,
    MODEL,
    RECORD,
    TrainingFolder,
    TrainingRecord,
    TrainingStatus,
)
from anisora.leaderboards.mlflow_store import (
    BATCH,
    RUN_ID,
    MlflowStore,
    milliseconds,
    parameters_of,
    pieces,
    runs_named,
    set_tags,
    source_tags,
)
from anisora.leaderboards.tracking_store import alone
from anisora.leaderboards.training_numbers import STEP, StepNumbers, numbers_of_steps
from anisora.models.untrained import TRAINING_CARD

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

__all__ = ["MlflowTrainingLogger"]

_STARTED: Final = "anisora.started"
_STATUS: Final = {"running": "RUNNING", "finished": "FINISHED", "stopped": "KILLED"}
_LARGEST_CLIP: Final = 2 * 2**20  # bytes
_LONGEST_NAME: Final = 250  # characters; what MLflow takes
_MOST_CLIPS: Final = 16  # of a step, of the first step and of the last
_LATER: Final = "It lies in `{folder}`; log it with: anisora leaderboard add-training {folder}"


class MlflowTrainingLogger:
    """Satisfies ``protocols.TrainingLogger``."""

    def __init__(self, uri: str = "", beside: Path | None = None, *, lock_wait_s: float = 30.0) -> None:
        """Choose the store, as ``MlflowStore`` does; nothing is opened or imported yet.

        Raises:
            ConfigError: ``uri`` is none, or MLflow, which it asks for, is not installed.
        """
        self._store = MlflowStore(uri, beside, lock_wait_s=lock_wait_s)

    def on_progress(self, folder: Path, status: TrainingStatus) -> None:
        """Log what a training has that is not logged.

        Raises:
            RecordError: The store is damaged, foreign or locked, the server does not answer, or the run folder cannot
                be read.
        """
        if not self._store.is_there("this training"):
            return
        training = TrainingFolder(folder)
        record, config = training.read_record(), training.read_config()
        with self._store.opened("the training", _LATER.format(folder=folder)) as client:
            experiment = self._store.experiment(client, f"train-{record.method}")
            with alone(folder):
                runs = runs_named(client, experiment, record.run_id)
                run = next((each for each in runs if each.data.tags.get(_STARTED) == record.started), None)
                tags = _tags(record, config, folder)
                if run is None:
                    run = _new_run(client, experiment, record, config, tags)
                else:
                    set_tags(client, run.info.run_id, tags)
                _log_steps(client, run, record, training.read_log())
                _set_status(client, run, status, training.log_path)
                if status != "running":
                    _attach(client, run, training)
                    # Of the same training begun anew. It goes last: a kill leaves too much rather than nothing.
                    for each in runs:
                        if each.info.run_id != run.info.run_id:
                            client.delete_run(each.info.run_id)


def _new_run(
    client: "MlflowClient", experiment: str, record: TrainingRecord, config: dict[str, Any], tags: dict[str, str]
) -> "Run":
    from mlflow.entities import Param

    name = Spec.parse(record.model).name
    run = client.create_run(
        experiment,
        start_time=milliseconds(record.started),
        tags=tags,
        run_name=f"{name} (UNTRAINED)" if record.untrained else name,
    )
    said = {field: value for field, value in config.items() if field not in MAY_DIFFER}
    params = parameters_of({**said, "weights": dict(record.weights), "inputs": dict(record.inputs)})
    for some in pieces([Param(_allowed(key), value) for key, value in params.items()], BATCH[0]):
        client.log_batch(run.info.run_id, params=some)
    return run


def _log_steps(client: "MlflowClient", run: "Run", record: TrainingRecord, lines: Sequence[dict[str, Any]]) -> None:
    """Log the steps after the last one that is there; all numbers of a step go in one call."""
    from mlflow.entities import Metric

    last = run.data.metrics.get(STEP, 0.0)
    begun = milliseconds(record.started)
    batch: list[Metric] = []
    for each in numbers_of_steps(lines):
        if each.step <= last:
            continue
        if len(batch) + len(each.numbers) > BATCH[1]:
            client.log_batch(run.info.run_id, metrics=batch)
            batch = []
        batch += [Metric(_allowed(name), value, _moment(begun, each), each.step) for name, value in _ordered(each)]
    if batch:
        client.log_batch(run.info.run_id, metrics=batch)


def _ordered(each: StepNumbers) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a step, the step itself last: where it is, all are."""
    yield from ((name, value) for name, value in each.numbers.items() if name != STEP)
    yield STEP, float(each.step)


def _moment(begun: int, each: StepNumbers) -> int:
    return begun + round(1000 * each.elapsed_s)


def _set_status(client: "MlflowClient", run: "Run", status: TrainingStatus, log: Path) -> None:
    if status != "running":
        ended = round(1000 * log.stat().st_mtime) if log.is_file() else None
        client.set_terminated(run.info.run_id, _STATUS[status], end_time=ended)
    elif run.info.status != _STATUS[status]:
        client.update_run(run.info.run_id, status=_STATUS[status])


def _attach(client: "MlflowClient", run: "Run", training: TrainingFolder) -> None:
    """Attach what tells what was trained, what its audit found, and small clips of the first step and the last."""
    for path, place in (
        (training.path / RECORD, None),
        (training.path / CONFIG, None),
        (training.path / AUDIT, None),
        (training.path / AUDIT_PAGE, None),
        (training.path / MODEL / TRAINING_CARD, MODEL),
        *_clips(training),
    ):
        if path.is_file():
            client.log_artifact(run.info.run_id, str(path), place)


def _clips(training: TrainingFolder) -> Iterator[tuple[Path, str]]:
    samples = training.read_samples()
    root = training.path.resolve()
    for step in sorted({each["step"] for each in samples[:1] + samples[-1:]}):
        for each in [each for each in samples if each["step"] == step][:_MOST_CLIPS]:
            path = (root / each["path"]).resolve()
            if path.is_relative_to(root) and path.is_file() and path.stat().st_size <= _LARGEST_CLIP:
                yield path, str(path.parent.relative_to(root))


def _tags(record: TrainingRecord, config: dict[str, Any], folder: Path) -> dict[str, str]:
    tags = {
        RUN_ID: record.run_id,
        _STARTED: record.started,
        "anisora.method": record.method,
        "anisora.model": record.model,
        "anisora.untrained": f"untrained:{Spec.parse(record.model).name}" if record.untrained else "false",
        "anisora.licence": record.licence,
        "anisora.device": str(record.environment.get("device", "")),
        "anisora.folder": str(folder.absolute()),
        "anisora.steps": str(config["steps"]),  # a parameter is for ever, and more steps may be asked for
        **source_tags(record.git),
    }
    return {name: value for name, value in tags.items() if value}


def _allowed(name: str) -> str:
    """Return a name with ``_`` for what MLflow's names may not hold.

    Raises:
        ConfigError: It is too long for MLflow.
    """
    kept = re.sub(r"[^\w./ :-]", "_", name)
    if len(kept) > _LONGEST_NAME:
        raise ConfigError(f"`{kept[:80]}...` has {len(kept)} characters; expected at most {_LONGEST_NAME}. Shorten it.")
    return kept
