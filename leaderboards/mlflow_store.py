"""A place where MLflow keeps runs: which one, its experiments, and how its trouble is told.

MLflow is imported when a store is opened, and not before.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from anisora.harness.errors import AnisoraError, ConfigError, RecordError
from anisora.harness.record import Json, canonical_json
from anisora.leaderboards.tracking_store import (
    artifacts_beside,
    hide_credentials,
    prepare_store,
    sqlite_file,
    sqlite_uri,
)

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

__all__ = [
    "BATCH",
    "RUN_ID",
    "MlflowStore",
    "milliseconds",
    "parameters_of",
    "pieces",
    "runs_named",
    "set_tags",
    "source_tags",
]

RUN_ID: Final = "anisora.run_id"
"""The tag by which a run is found again."""
BATCH: Final = 100, 800
"""Parameters and metrics in one call; MLflow takes 100, and 1000 of both together."""

_LOG = logging.getLogger(__name__)

_NEEDED: Final = ("mlflow", "sqlalchemy", "alembic")
_LONGEST_PARAMETER: Final = 6000  # characters; what is longer MLflow cuts off
_DEFAULTS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # a server that is down is told after seconds, not minutes
}
"""Settings of MLflow that hold unless the user's environment says otherwise."""
_SQLITE_DEFAULTS: Final = {
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # no file stays open that may be deleted between two runs
}

Item = TypeVar("Item")


class MlflowStore:
    """A SQLite file or a server."""

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
        """Empty for nowhere."""
        if not self.uri and beside is not None:
            self.uri = sqlite_uri(beside.with_name("mlflow.db"))

    def is_there(self, what: str) -> bool:
        """Return whether anything can be logged; that MLflow is not installed is logged.

        Args:
            what: Is not logged, then: ``this run``.
        """
        if self.uri and self._lacking:
            _LOG.warning("%s is not logged to MLflow: %s is not installed", what, " and ".join(self._lacking))
        return bool(self.uri) and not self._lacking

    def has_runs(self) -> bool:
        """Return whether anything may have been logged; a store is not made for an answer."""
        file = sqlite_file(self.uri)
        return bool(self.uri) and not self._lacking and (file is None or file.is_file())

    @contextlib.contextmanager
    def opened(self, what: str, remedy: str) -> "Iterator[MlflowClient]":
        """Open the store, made if need be.

        Args:
            what: Is logged: ``the run``.
            remedy: What a user whose store is in trouble is told, in a sentence.

        Raises:
            RecordError: The store is damaged, foreign or locked, or the server does not answer.
        """
        file = sqlite_file(self.uri)
        _configure(is_sqlite=file is not None)
        with _quiet(), _told_in_one_line(hide_credentials(self.uri), what, remedy):
            from mlflow.tracking import MlflowClient

            if file is not None:
                prepare_store(file, lock_wait_s=self._lock_wait_s)
            yield MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment(self, client: "MlflowClient", name: str) -> str:
        """Return the id of an experiment, made if need be.

        Raises:
            RecordError: It was deleted.
        """
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
def _told_in_one_line(uri: str, what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except AnisoraError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in ("mlflow", "sqlalchemy"):
            raise
        detail = hide_credentials(" ".join(str(error).partition("\n")[0].split()))
        raise RecordError(f"MLflow `{uri}` did not take {what}: {detail.rstrip('.')}. {remedy}") from error


def runs_named(client: "MlflowClient", experiment: str, run_id: str) -> "list[Run]":
    """Return the runs of an experiment that stand for a run of ours."""
    quote = '"' if "'" in run_id else "'"
    found = client.search_runs([experiment], filter_string=f"tags.`{RUN_ID}` = {quote}{run_id}{quote}")
    return list(found)


def set_tags(client: "MlflowClient", run: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run in one call."""
    from mlflow.entities import RunTag

    client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])


def pieces(items: list[Item], size: int) -> Iterator[list[Item]]:
    """Cut a list into pieces of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def source_tags(git: Mapping[str, Json]) -> dict[str, str]:
    """Return which source made a run, as MLflow's pages show it."""
    tags = {"mlflow.source.name": "anisora"}
    if git.get("commit"):
        tags["mlflow.source.git.commit"] = str(git["commit"])
        tags["anisora.git_dirty"] = str(bool(git.get("dirty"))).lower()
    return tags


def parameters_of(said: Mapping[str, Json]) -> dict[str, str]:
    """Flatten plain JSON; a value that is too long goes on in ``name.2``, ``name.3``."""
    params: dict[str, str] = {}
    for name, value in _flat("", dict(said)):
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


def milliseconds(moment: str) -> int:
    """Return a moment in ISO 8601 as MLflow counts time."""
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
