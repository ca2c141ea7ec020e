"""The SQLite file that MLflow keeps runs in: created from a template, examined before it is written to.

MLflow builds a new file by playing dozens of schema migrations, which takes seconds. It is done once for each version
of MLflow, in the cache; a new store is a copy.
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, RecordError
from anisora.harness.weights import cache_folder

__all__ = ["alone", "artifacts_beside", "hide_credentials", "prepare_store", "sqlite_file", "sqlite_uri"]

_LOG = logging.getLogger(__name__)

_PREFIX: Final = "sqlite:///"
_REPEAT: Final = "then repeat the command, which logs the run again"


def sqlite_uri(path: Path) -> str:
    """Return the tracking URI of a SQLite file.

    Raises:
        ConfigError: The path has a ``?``, where such a URI would end.
    """
    absolute = str(path.absolute())
    if "?" in absolute:
        raise ConfigError(
            f"`{absolute}` cannot hold an MLflow store: a tracking URI ends at '?'. "
            "Choose another folder for the leaderboard (--db), or add --no-mlflow."
        )
    return _PREFIX + absolute


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a ``sqlite:///`` URI, or None for servers, other databases and memory."""
    if not uri.startswith(_PREFIX):
        return None
    name = uri.removeprefix(_PREFIX).partition("?")[0]
    return Path(name).absolute() if name and name != ":memory:" else None


def artifacts_beside(store: Path) -> Path:
    """Return the folder for the files of the runs in a store."""
    return store.with_name("mlartifacts")


def hide_credentials(text: str) -> str:
    """Take user names and passwords out of the URIs in a text."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process or thread at a time work on a folder; the others wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def prepare_store(path: Path, *, lock_wait_s: float) -> None:
    """Create a store that is not there, or make sure that the one there can be written.

    A file that is made has its whole schema from the first moment: two processes may both want it, and one may die.

    Args:
        path: The SQLite file.
        lock_wait_s: How long to wait for another process that writes to it.

    Raises:
        RecordError: The file is damaged, foreign, read-only, or stays locked.
        OSError: The disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent):
        if not path.is_file() or not path.stat().st_size:
            _create(path, _copy_of_template)
            return
    with _connection(path, lock_wait_s) as connection:
        connection.execute("BEGIN IMMEDIATE")  # waits for the file, as a first write would
        tables = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        connection.execute("ROLLBACK")
    if tables and "alembic_version" not in tables:
        raise RecordError(
            f"`{path}` is a SQLite file but no MLflow store: it has no table alembic_version. "
            "Choose another one with --mlflow sqlite:///FILE, or add --no-mlflow."
        )


@contextlib.contextmanager
def _connection(path: Path, lock_wait_s: float) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=lock_wait_s, isolation_level=None)
        ) as connection:
            yield connection
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise RecordError(
                f"MLflow store `{path}` is in use by another process; waited {lock_wait_s:g} s. "
                f"End that process or wait for it, {_REPEAT}."
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise RecordError(
                f"MLflow store `{path}` cannot be written: {error}. Correct its permissions, {_REPEAT}."
            ) from error
        raise RecordError(
            f"MLflow store `{path}` is damaged: {error}. Its content is in the run folders: move the file away, "
            f"{_REPEAT}."
        ) from error


def _create(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name and rename it; the caller keeps others away."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of a killed process
    try:
        write(temporary)
        descriptor = os.open(temporary, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        for suffix in ("-journal", "-wal", "-shm"):  # of a file that was deleted; must not be played into this one
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _copy_of_template(target: Path) -> None:
    try:
        shutil.copyfile(_template(), target)
    except OSError as error:  # a cache that cannot be written costs time, no more
        _LOG.info("no template of the MLflow store can be kept in %s: %s", cache_folder(), error)
        _migrate(target)
    artifacts = artifacts_beside(target).absolute().as_uri()
    with contextlib.closing(sqlite3.connect(target)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", [f"{artifacts}/default"])


def _template() -> Path:
    """Return an empty store of this version of MLflow, made if need be."""
    from mlflow.version import VERSION

    path = cache_folder() / "mlflow" / f"store-{VERSION}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent):
        if not _is_whole(path):
            _create(path, _migrate)
    return path


def _is_whole(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            versions = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
            found = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error:
        return False
    return bool(versions == (1,) and found == ("ok",))


def _migrate(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # The location is that of the experiment "Default" alone, which each copy overwrites with its own.
    store = SqlAlchemyStore(sqlite_uri(path), str(path.with_name("artifacts")))
    store.engine.dispose()
