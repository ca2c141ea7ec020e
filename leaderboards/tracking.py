"""Logs finished runs to MLflow: an experiment for each suite, a run for each run, its aggregates and files.

Scores of single clips are never metrics of MLflow, whose pages grow slow with them; they are in ``scores.parquet``,
which is attached. MLflow is imported when the first run is logged.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from anisora.harness.errors import AnisoraError, ConfigError, RecordError
from anisora.harness.record import Json, MetricResult, RunRecord, canonical_json, digest_of
from anisora.leaderboards.tracking_store import (
    alone,
    artifacts_beside,
    hide_credentials,
    prepare_store,
    sqlite_file,
    sqlite_uri,
)

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

__all__ = ["ARTIFACTS", "MlflowLogger", "attach_file"]

ARTIFACTS: Final = ("record.json", "spec.yaml", "scores.parquet")
"""Files of a run folder that are attached where they exist."""

_LOG = logging.getLogger(__name__)

_NEEDED: Final = ("mlflow", "sqlalchemy", "alembic")
_RUN_ID: Final = "anisora.run_id"
_CONTENT: Final = "anisora.content"
_LONGEST_PARAMETER: Final = 6000  # characters; what is longer MLflow cuts off
_BATCH: Final = 100, 800  # parameters and metrics in one call; MLflow takes 100, and 1000 of both together
_DEFAULTS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # a server that is down is told after seconds, not minutes
}
"""Settings of MLflow that hold unless the user's environment says otherwise."""
_SQLITE_DEFAULTS: Final = {
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # no file stays open that may be deleted between two runs
}

Item = TypeVar("Item")


class MlflowLogger:
    """Logs each finished run to MLflow; satisfies ``protocols.RunLogger``."""

    def __init__(self, uri: str = "", beside: Path | None = None, *, lock_wait_s: float = 30.0) -> None:
        """Choose the store; nothing is opened or imported yet.

        Args:
            uri: A tracking URI. Left out, it is MLFLOW_TRACKING_URI, or else the file ``mlflow.db``
                in the folder of ``beside``; with neither, runs are not logged.
            beside: The leaderboard file.
            lock_wait_s: How long to wait for other processes to finish with a SQLite file.

        Raises:
            ConfigError: ``uri`` is none, or MLflow, which it asks for, is not installed.
        """
        self._lock_wait_s = lock_wait_s
        self._lacking = [name for name in _NEEDED if find_spec(name) is None]
        if uri:
            _check(uri, self._lacking)
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
        """Where runs are logged; empty for nowhere."""
        if not self.uri and beside is not None:
            self.uri = sqlite_uri(beside.with_name("mlflow.db"))

    def on_end(self, record: RunRecord, folder: Path) -> None:
        """Log a run; one of the same id that was logged before is updated or replaced.

        Raises:
            RecordError: The store is damaged, foreign or locked, or the server does not answer.
        """
        if not self.uri:
            return
        if self._lacking:
            _LOG.warning("this run is not logged to MLflow: %s is not installed", " and ".join(self._lacking))
            return
        entry = _Entry.of(record, folder)
        _configure(is_sqlite=sqlite_file(self.uri) is not None)
        with _quiet(), _told_in_one_line(hide_credentials(self.uri), folder):
            client = self._client()
            experiment = self._experiment(client, record.suite_key)
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
        if not self.uri or self._lacking:
            return 0
        file = sqlite_file(self.uri)
        if file is not None and not file.is_file():
            return 0  # nothing was logged, and a store is not made for it
        _configure(is_sqlite=file is not None)
        attached = 0
        with _quiet(), _told_in_one_line(hide_credentials(self.uri), path.parent):
            client = self._client()
            for record in records:
                experiment = client.get_experiment_by_name(record.suite_key)
                if experiment is not None and experiment.lifecycle_stage == "active":
                    for run in _runs_named(client, str(experiment.experiment_id), record.run_id):
                        client.log_artifact(run.info.run_id, str(path))
                        attached += 1
        return attached

    def _client(self) -> "MlflowClient":
        from mlflow.tracking import MlflowClient

        file = sqlite_file(self.uri)
        if file is not None:
            prepare_store(file, lock_wait_s=self._lock_wait_s)
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def _experiment(self, client: "MlflowClient", name: str) -> str:
        from mlflow.exceptions import MlflowException

        file = sqlite_file(self.uri)
        location = None if file is None else artifacts_beside(file).as_uri()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = client.get_experiment_by_name(name)  # another process was faster
                assert found is not None
        if found.lifecycle_stage != "active":
            raise RecordError(
                f"Experiment `{name}` of MLflow `{hide_credentials(self.uri)}` was deleted; to log to it again run: "
                f"mlflow experiments restore --experiment-id {found.experiment_id}; or add --no-mlflow."
            )
        return str(found.experiment_id)

    def _log(self, client: "MlflowClient", experiment: str, entry: "_Entry") -> None:
        earlier = _runs_named(client, experiment, entry.run_id)
        kept = next((run for run in earlier if _is_whole(run) and run.data.tags.get(_CONTENT) == entry.content), None)
        if kept is None:
            target = _new_run(client, experiment, entry)
        else:
            target = str(kept.info.run_id)
            _set_tags(client, target, entry.tags)
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
        params = _parameters(record)
        metrics = {name: value for result in record.results for name, value in _metrics(result).items()}
        content = digest_of({"params": params, "metrics": metrics})
        return cls(
            run_id=record.run_id,
            name=f"{record.spec.model} (UNTRAINED)" if record.untrained else record.spec.model,
            status="FAILED" if record.status == "failed" else "FINISHED",
            started_ms=_milliseconds(record.started),
            finished_ms=_milliseconds(record.finished),
            params=params,
            metrics=metrics,
            tags={**_tags(record), "anisora.folder": str(folder.absolute()), _CONTENT: content},
            files=tuple(path for name in ARTIFACTS if (path := folder / name).is_file()),
        )

    @property
    def content(self) -> str:
        """What may not change in a run of MLflow; equal contents are updated in place."""
        return self.tags[_CONTENT]


def _check(uri: str, lacking: list[str]) -> None:
    """Refuse a URI that was asked for and cannot be used."""
    if not re.match(r"[a-z][a-z0-9+.-]*:", uri) and uri not in ("databricks", "uc"):
        raise ConfigError(
            f"`--mlflow` got {uri!r}; expected a tracking URI such as sqlite:///mlflow.db or http://127.0.0.1:5000."
        )
    if lacking:
        raise ConfigError(
            f"`--mlflow` needs {' and '.join(lacking)}, which this installation lacks. "
            f"Run: pip install -c constraints.txt mlflow-skinny sqlalchemy alembic"
        )


def _configure(*, is_sqlite: bool) -> None:
    """Set what MLflow reads from the environment, some of it when it is imported."""
    for name, value in {**_DEFAULTS, **(_SQLITE_DEFAULTS if is_sqlite else {})}.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow and its migrations from writing to the terminal; what matters is raised."""
    import mlflow  # noqa: F401 - whose import sets the levels anew

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _told_in_one_line(uri: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except AnisoraError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in ("mlflow", "sqlalchemy"):
            raise
        detail = hide_credentials(" ".join(str(error).partition("\n")[0].split()))
        raise RecordError(
            f"MLflow `{uri}` did not take the run: {detail.rstrip('.')}. The run is finished and lies in `{folder}`; "
            "repeat the command to log it, or add --no-mlflow."
        ) from error


def _runs_named(client: "MlflowClient", experiment: str, run_id: str) -> "list[Run]":
    quote = '"' if "'" in run_id else "'"
    found = client.search_runs([experiment], filter_string=f"tags.`{_RUN_ID}` = {quote}{run_id}{quote}")
    return list(found)


def _is_whole(run: "Run") -> bool:
    return run.info.status in ("FINISHED", "FAILED")


def _new_run(client: "MlflowClient", experiment: str, entry: _Entry) -> str:
    """Create a run with its parameters and metrics: two calls, unless there are very many."""
    from mlflow.entities import Metric, Param

    made = client.create_run(experiment, start_time=entry.started_ms, tags=entry.tags, run_name=entry.name)
    params = [Param(name, value) for name, value in entry.params.items()]
    metrics = [Metric(name, value, entry.finished_ms, 0) for name, value in entry.metrics.items()]
    for some_params, some_metrics in zip_longest(_pieces(params, _BATCH[0]), _pieces(metrics, _BATCH[1]), fillvalue=()):
        client.log_batch(made.info.run_id, params=some_params, metrics=some_metrics)
    return str(made.info.run_id)


def _set_tags(client: "MlflowClient", run: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])


def _pieces(items: list[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _metrics(result: MetricResult) -> dict[str, float]:
    values = {
        result.metric: result.value,
        f"{result.metric}_ci_lo": result.low,
        f"{result.metric}_ci_hi": result.high,
        f"{result.metric}_scored": float(result.scored),
    }
    return {name: value for name, value in values.items() if value is not None}


def _tags(record: RunRecord) -> dict[str, str]:
    commit = record.git.get("commit")
    tags = {
        _RUN_ID: record.run_id,
        "anisora.protocol": record.protocol.digest,
        "anisora.suite": record.suite_key,
        "anisora.status": record.status,
        "anisora.reference": str(record.reference).lower(),
        "anisora.untrained": record.untrained or "false",
        "anisora.device": str(record.environment.get("device", "")),
        "mlflow.source.name": "anisora",
    }
    if commit:
        tags["mlflow.source.git.commit"] = str(commit)
        tags["anisora.git_dirty"] = str(bool(record.git.get("dirty"))).lower()
    return {name: value for name, value in tags.items() if value}


def _parameters(record: RunRecord) -> dict[str, str]:
    """Flatten the specification; a value that is too long goes on in ``name.2``, ``name.3``."""
    params: dict[str, str] = {}
    for name, value in _flat("", record.spec.model_dump(mode="json")):
        text = value if isinstance(value, str) else canonical_json(value)
        for part, start in enumerate(range(0, len(text), _LONGEST_PARAMETER), start=1):
            params[name if part == 1 else f"{name}.{part}"] = text[start : start + _LONGEST_PARAMETER]
    return params


def _flat(name: str, value: Json) -> Iterator[tuple[str, Json]]:
    """Yield (dotted name, value) of everything that was given."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    elif value is not None and value not in ("", []):
        yield name, value


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
