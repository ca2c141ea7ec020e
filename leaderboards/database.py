"""Opens the DuckDB file of a leaderboard: short connections, patient about locks, closed to the outside.

DuckDB lets one process write at a time and fails every other one at once; here they wait for their turn.
"""

import contextlib
import fcntl
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from anisora.harness.errors import RecordError
from anisora.harness.failpoints import failpoint

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["SCHEMA_VERSION", "Database"]

SCHEMA_VERSION: Final = 3
"""Of schema.sql; goes up when a table or view changes."""

# No query may read or write another file, load code, or lift these limits.
_SETTINGS: Final = {
    "enable_external_access": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}
# What DuckDB says where another process, or a connection of this process that is not ours, has the file.
_BUSY: Final = ("Could not set lock", "different configuration", "already attached")
# The connections of a process share one instance of DuckDB, which several threads cannot open at once.
_ONE_AT_A_TIME: Final = threading.Lock()
_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 1.0

Result = TypeVar("Result")


class Database:
    """One DuckDB file, opened anew for each operation; or one in memory, as long-lived as this object."""

    def __init__(self, path: Path | None, *, lock_wait_s: float = 30.0) -> None:
        """Name the file; nothing is created yet.

        Args:
            path: The file, or None for memory.
            lock_wait_s: How long to wait, in all, for other processes to finish with the file.
        """
        # An absolute path cannot be taken for an address such as md: or s3:.
        self.path = None if path is None else path.absolute()
        self.lock_wait_s = lock_wait_s
        self._memory: Connection | None = None
        if path is None:
            self._memory = _connect(":memory:")
            _create_schema(self._memory)

    @property
    def name(self) -> str:
        """The path as told in messages."""
        return ":memory:" if self.path is None else str(self.path)

    def close(self) -> None:
        """Drop a database in memory; a file needs no closing."""
        if self._memory is not None:
            self._memory.close()

    def read(self, work: "Callable[[Connection], Result]") -> Result:
        """Run queries on a connection that cannot write.

        Raises:
            RecordError: The file does not exist, is damaged, foreign, newer, or stays locked.
        """
        if not self._exists():
            raise RecordError(
                f"Leaderboard `{self.name}` does not exist; expected one written by a finished run. "
                'Evaluate something first, or run "anisora leaderboard rebuild".'
            )
        with self._connection(time.monotonic() + self.lock_wait_s, read_only=True) as connection:
            return self._guarded(work, connection)

    def write(self, work: "Callable[[Connection], Result]") -> Result:
        """Run statements in one transaction: all of them happen, or none; the file is created if need be.

        Another transaction of this process that changed the same run makes this one start over.

        Raises:
            RecordError: The file is damaged, foreign, newer, or stays locked.
        """
        import duckdb

        deadline = time.monotonic() + self.lock_wait_s
        pauses = _pauses()
        while True:
            self._create()
            failpoint("ingest.before_begin")
            try:
                with self._connection(deadline, read_only=False) as connection:
                    result = self._transaction(work, connection)
            except duckdb.TransactionException as error:
                if time.monotonic() >= deadline:
                    raise self._in_use(str(error)) from error
                time.sleep(next(pauses))
                continue
            failpoint("ingest.after_commit")
            return result

    def _transaction(self, work: "Callable[[Connection], Result]", connection: "Connection") -> Result:
        import duckdb

        connection.begin()
        try:
            result = self._guarded(work, connection)
            failpoint("ingest.before_commit")
            self._guarded(lambda open_connection: open_connection.commit(), connection)
        except BaseException:
            # A commit that failed has ended the transaction already.
            with contextlib.suppress(duckdb.Error):
                connection.rollback()
            raise
        return result

    def _guarded(self, work: "Callable[[Connection], Result]", connection: "Connection") -> Result:
        import duckdb

        try:
            return work(connection)
        except duckdb.TransactionException:
            raise
        except duckdb.Error as error:
            raise RecordError(f"Leaderboard `{self.name}` failed: {_first_line(error)}") from error

    @contextlib.contextmanager
    def _connection(self, deadline: float, *, read_only: bool) -> "Iterator[Connection]":
        if self._memory is not None:
            with contextlib.closing(self._memory.cursor()) as connection:
                yield connection
            return
        if not _ONE_AT_A_TIME.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._in_use("")
        try:
            with contextlib.closing(self._opened(deadline, read_only=read_only)) as connection:
                self._check_schema(connection)
                yield connection
        finally:
            _ONE_AT_A_TIME.release()

    def _opened(self, deadline: float, *, read_only: bool) -> "Connection":
        import duckdb

        for pause in _pauses():
            try:
                return _connect(self.name, read_only=read_only)
            except duckdb.Error as error:
                if not any(phrase in str(error) for phrase in _BUSY):
                    raise RecordError(
                        f"Leaderboard `{self.name}` cannot be opened: {_first_line(error)} Its content is in "
                        'the run folders: move the file away and run "anisora leaderboard rebuild".'
                    ) from error
                if time.monotonic() >= deadline:
                    raise self._in_use(str(error)) from error
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        raise AssertionError("pauses never end")

    def _in_use(self, detail: str) -> RecordError:
        found = re.search(r"\(PID (\d+)\)", detail)
        holder = f"another process (PID {found[1]})" if found else "another connection of this process"
        return RecordError(
            f"Leaderboard `{self.name}` is in use by {holder}; waited {self.lock_wait_s:g} s. "
            "End that process or wait for it, then run the command again."
        )

    def _check_schema(self, connection: "Connection") -> None:
        import duckdb

        try:
            row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
        except duckdb.CatalogException as error:
            raise RecordError(
                f"`{self.name}` is a DuckDB file but not a leaderboard: it has no table schema_version. "
                "Choose another --db."
            ) from error
        version = row[0] if row else None
        if not isinstance(version, int) or version != SCHEMA_VERSION:
            newer = isinstance(version, int) and version > SCHEMA_VERSION
            step = "Upgrade anisora-harness" if newer else 'Move it away and run "anisora leaderboard rebuild"'
            raise RecordError(
                f"Leaderboard `{self.name}` has schema version {version!r}; this program reads and writes "
                f"{SCHEMA_VERSION}. {step}, or choose another --db."
            )

    def _exists(self) -> bool:
        return self.path is None or (self.path.is_file() and self.path.stat().st_size > 0)

    def is_damaged(self) -> bool:
        """Tell whether the file exists but is no DuckDB file at all."""
        import duckdb

        if self.path is None or not self._exists():
            return False
        try:
            _connect(self.name, read_only=True).close()
        except duckdb.Error as error:
            return "not a valid DuckDB database file" in str(error)
        return False

    def replace_damaged(self) -> None:
        """Put an empty leaderboard in the place of a file that is no DuckDB file."""
        if self.is_damaged() and self.path is not None:
            self.path.unlink()
        self._create()

    def _create(self) -> None:
        """Create the file whole: a kill leaves no file, or one with its schema."""
        path = self.path
        if path is None or self._exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # of the folder: two processes may both find no file
            if self._exists():
                return
            prefix = f".{path.name}.new"
            for leftover in [entry for entry in path.parent.iterdir() if entry.name.startswith(prefix)]:
                leftover.unlink()
            # The log of a file that was deleted must not be played into this one.
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
            temporary = path.with_name(prefix)
            with contextlib.closing(_connect(str(temporary))) as connection:
                _create_schema(connection)
            temporary.replace(path)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _connect(name: str, *, read_only: bool = False) -> "Connection":
    import duckdb

    return duckdb.connect(name, read_only=read_only, config=dict(_SETTINGS))


def _create_schema(connection: "Connection") -> None:
    connection.begin()
    connection.execute(files("anisora.leaderboards").joinpath("schema.sql").read_text(encoding="utf-8"))
    connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
    connection.commit()


def _pauses() -> Iterator[float]:
    """Yield growing pauses in seconds, a little different in each process so that they do not meet again."""
    pause = _FIRST_PAUSE_S
    while True:
        yield pause * random.uniform(0.5, 1.5)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
