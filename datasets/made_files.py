"""A folder of files that are made on this machine once, and found again by their digests.

An index holds the digest of each file. A file that is missing or no longer fits is made again; two processes may
start at once, and one that is killed leaves nothing that the next cannot complete.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.executors.local import map_unordered
from anisora.harness.runfolder import sha256_of_file

__all__ = ["MadeFiles"]

_INDEX: Final = "index.json"

Make = Callable[[Mapping[str, Path]], None]
"""Writes files: is given, by name, the path to write each one to."""


class MadeFiles:
    """The files of one recipe in one folder."""

    def __init__(self, folder: Path, recipe: str, *, megabytes: int, workers: int = 1) -> None:
        """Name the folder; nothing is touched yet.

        Args:
            folder: Where the files are or will be.
            recipe: A digest of everything that the files' bytes follow from.
            megabytes: Room that they take, for the message of a full disk.
            workers: Groups that are made at a time, each by a thread.
        """
        self.folder, self._recipe, self._megabytes, self._workers = folder, recipe, megabytes, workers

    def digests(self, groups: Sequence[tuple[tuple[str, ...], Make]]) -> dict[str, str]:
        """Return {file name: sha256} of all files, after making those that are not there and whole.

        Args:
            groups: Names of files that are made together, and what makes them.

        Raises:
            DataError: The folder cannot be written.
        """
        names = [name for group, _ in groups for name in group]
        recorded = self._intact(names)
        if len(recorded) == len(names):
            return recorded
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder):
                return self._completed(names, groups)
        except OSError as error:
            raise DataError(
                f"The demo's clips cannot be written to `{self.folder}`: {error.strerror or error}; set "
                f"ANISORA_CACHE to a folder that can be written, with {self._megabytes} MB free."
            ) from error

    def _index(self) -> dict[str, str]:
        """Return what the index records, if it is of this recipe."""
        try:
            index: Any = json.loads((self.folder / _INDEX).read_bytes())
            if index["recipe"] != self._recipe:
                return {}
            return {str(name): str(digest) for name, digest in index["files"].items()}
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # no index, or none of ours: everything is made again

    def _intact(self, names: Sequence[str]) -> dict[str, str]:
        """Return the part of the index that holds: file present, digest as recorded."""
        recorded = self._index()
        present = [name for name in names if name in recorded and (self.folder / name).is_file()]
        return {name: recorded[name] for name in present if sha256_of_file(self.folder / name) == recorded[name]}

    def _completed(self, names: Sequence[str], groups: Sequence[tuple[tuple[str, ...], Make]]) -> dict[str, str]:
        digests = self._intact(names)  # again: another process may have made them while this one waited for the lock
        missing = [(group, make) for group, make in groups if not all(name in digests for name in group)]
        if not missing:
            return digests
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink()

        def made(task: tuple[tuple[str, ...], Make]) -> dict[str, str]:
            group, make = task
            with contextlib.ExitStack() as stack:
                make({name: stack.enter_context(_replacing(self.folder / name)) for name in group})
            return {name: sha256_of_file(self.folder / name) for name in group}

        for made_digests in map_unordered(made, missing, workers=self._workers):
            digests |= made_digests
        # What an earlier call asked for besides is kept in the index.
        files = {**self._intact([name for name in self._index() if name not in digests]), **digests}
        with _replacing(self.folder / _INDEX) as temporary:
            index = {"recipe": self._recipe, "files": dict(sorted(files.items()))}
            temporary.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        return digests


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process make files at a time; the lock goes with the process that holds it."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what is written there takes its place once it is on disk."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
