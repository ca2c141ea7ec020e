"""Logs finished runs to MLflow: an experiment for each suite, a run for each run, its aggregates and files.

Scores of single clips are never metrics of MLflow, whose pages grow slow with them; they are in ``scores.parquet``,
which is attached. MLflow is imported when the first run is logged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.harness.record import MetricResult, RunRecord, digest_of
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

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

__all__ = ["ARTIFACTS", "MlflowLogger", "attach_file"]

ARTIFACTS: Final = ("record.json", "spec.yaml", "scores.parquet")
"""Files of a run folder that are attached where they exist."""

_CONTENT: Final = "anisora.content"
_FINISHED: Final = "The run is finished and lies in `{folder}`; repeat the command to log it, or add --no-mlflow."


class MlflowLogger:
    """Logs each finished run to MLflow; satisfies ``protocols.RunLogger``."""

    def __init__(self, uri: str = "", beside: Path | None = None, *, lock_wait_s: float = 30.0) -> None:
        """Choose the store, as ``MlflowStore`` does; nothing is opened or imported yet.

        Raises:
            ConfigError: ``uri`` is none, or MLflow, which it asks for, is not installed.
        """
        self._store = MlflowStore(uri, beside, lock_wait_s=lock_wait_s)

    @property
    def uri(self) -> str:
        """Where runs are logged; empty for nowhere."""
        return self._store.uri

    def on_end(self, record: RunRecord, folder: Path) -> None:
        """Log a run; one of the same id that was logged before is updated or replaced.

        Raises:
            RecordError: The store is damaged, foreign or locked, or the server does not answer.
        """
        if not self._store.is_there("this run"):
            return
        entry = _Entry.of(record, folder)
        with self._store.opened("the run", _FINISHED.format(folder=folder)) as client:
            experiment = self._store.experiment(client, record.suite_key)
            with alone(folder):  # two processes that finished the same run do not both create it
                self._log(client, experiment, entry)

    def attach(self, path: Path, records: Sequence[RunRecord]) -> int:
        """Attach a file, such as a report, to the runs that were logged; return how many there are.

        Args:
            path: The file.
            records: The runs it is about; those that were never logged are passed over.

        Raises:
            RecordError: As ``on_end``.
        """
        if not self._store.has_runs():
            return 0
        attached = 0
        with self._store.opened("the run", _FINISHED.format(folder=path.parent)) as client:
            for record in records:
                experiment = client.get_experiment_by_name(record.suite_key)
                if experiment is not None and experiment.lifecycle_stage == "active":
                    for run in runs_named(client, str(experiment.experiment_id), record.run_id):
                        client.log_artifact(run.info.run_id, str(path))
                        attached += 1
        return attached

    def _log(self, client: "MlflowClient", experiment: str, entry: "_Entry") -> None:
        earlier = runs_named(client, experiment, entry.run_id)
        kept = next((run for run in earlier if _is_whole(run) and run.data.tags.get(_CONTENT) == entry.content), None)
        if kept is None:
            target = _new_run(client, experiment, entry)
        else:
            target = str(kept.info.run_id)
            set_tags(client, target, entry.tags)
        for path in entry.files:
            client.log_artifact(target, str(path))
        client.set_terminated(target, entry.status, end_time=entry.finished_ms)
        # Parameters of a run cannot be changed and its metrics only appended to: one that differs is replaced. The old
        # one goes last, so that a kill leaves too much rather than nothing; the next time clears up.
        for run in earlier:
            if run.info.run_id != target:
                client.delete_run(run.info.run_id)


def attach_file(path: Path, records: Sequence[RunRecord], *, uri: str = "", beside: Path | None = None) -> int:
    """Attach a file to the logged runs of these records; arguments as of ``MlflowLogger``."""
    return MlflowLogger(uri, beside).attach(path, records)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A run in MLflow's terms."""

    run_id: str
    name: str
    status: str
    started_ms: int
    finished_ms: int
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    files: tuple[Path, ...]

    @classmethod
    def of(cls, record: RunRecord, folder: Path) -> "_Entry":
        params = parameters_of(record.spec.model_dump(mode="json"))
        metrics = {name: value for result in record.results for name, value in _metrics(result).items()}
        content = digest_of({"params": params, "metrics": metrics})
        return cls(
            run_id=record.run_id,
            name=f"{record.spec.model} (UNTRAINED)" if record.untrained else record.spec.model,
            status="FAILED" if record.status == "failed" else "FINISHED",
            started_ms=milliseconds(record.started),
            finished_ms=milliseconds(record.finished),
            params=params,
            metrics=metrics,
            tags={**_tags(record), "anisora.folder": str(folder.absolute()), _CONTENT: content},
            files=tuple(path for name in ARTIFACTS if (path := folder / name).is_file()),
        )

    @property
    def content(self) -> str:
        """What may not change in a run of MLflow; equal contents are updated in place."""
        return self.tags[_CONTENT]


def _is_whole(run: "Run") -> bool:
    return run.info.status in ("FINISHED", "FAILED")


def _new_run(client: "MlflowClient", experiment: str, entry: _Entry) -> str:
    """Create a run with its parameters and metrics: two calls, unless there are very many."""
    from mlflow.entities import Metric, Param

    made = client.create_run(experiment, start_time=entry.started_ms, tags=entry.tags, run_name=entry.name)
    params = [Param(name, value) for name, value in entry.params.items()]
    metrics = [Metric(name, value, entry.finished_ms, 0) for name, value in entry.metrics.items()]
    for some_params, some_metrics in zip_longest(pieces(params, BATCH[0]), pieces(metrics, BATCH[1]), fillvalue=()):
        client.log_batch(made.info.run_id, params=some_params, metrics=some_metrics)
    return str(made.info.run_id)


def _metrics(result: MetricResult) -> dict[str, float]:
    values = {
        result.metric: result.value,
        f"{result.metric}_ci_lo": result.low,
        f"{result.metric}_ci_hi": result.high,
        f"{result.metric}_scored": float(result.scored),
    }
    return {name: value for name, value in values.items() if value is not None}


def _tags(record: RunRecord) -> dict[str, str]:
    tags = {
        RUN_ID: record.run_id,
        "anisora.protocol": record.protocol.digest,
        "anisora.suite": record.suite_key,
        "anisora.status": record.status,
        "anisora.reference": str(record.reference).lower(),
        "anisora.untrained": record.untrained or "false",
        "anisora.device": str(record.environment.get("device", "")),
        **source_tags(record.git),
    }
    return {name: value for name, value in tags.items() if value}
