"""A file of JSON lines that survives a kill: work that is done, one line each, which the same command goes on from."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from anisora.harness.failpoints import failpoint
from anisora.harness.record import canonical_json

__all__ = ["Journal", "open_journal", "read_journal"]


class Journal:
    """Appends entries; each is on disk before ``append`` returns."""

    def __init__(self, file: IO[bytes]) -> None:
        """Take an open file."""
        self._file = file

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry and flush it to disk."""
        failpoint("journal.before_write")
        line = canonical_json(entry).encode() + b"\n"
        half = len(line) // 2
        self._file.write(line[:half])
        if os.environ.get("ANISORA_FAILPOINT"):  # a torn line can only be seen if its first half reaches the file
            self._file.flush()
        failpoint("journal.mid_write")
        self._file.write(line[half:])
        failpoint("journal.after_write")
        self._file.flush()
        os.fsync(self._file.fileno())
        failpoint("journal.after_flush")


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the whole entries; a torn last line is what a kill leaves, and is dropped.

    Args:
        path: May not exist.
    """
    return _whole_entries(path)[0]


@contextlib.contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Open a journal for appending, after cutting off a torn last line."""
    _, end = _whole_entries(path)
    with path.open("ab") as file:
        file.truncate(end)
        yield Journal(file)


def _whole_entries(path: Path) -> tuple[list[dict[str, Any]], int]:
    entries: list[dict[str, Any]] = []
    end = 0
    if path.is_file():
        for line in path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                entries.append(json.loads(line))
            except ValueError:
                break
            end += len(line)
    return entries, end
