"""The files of a data set's folder, wherever below it they lie."""

import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import shortened, unreadable_path
from anisora.harness.media.folders import natural_order
from anisora.harness.runfolder import sha256_of_file

__all__ = ["digests_below", "files_below"]

_NOT_OURS: Final = frozenset({"__MACOSX"})
"""Folders that packing programs leave behind, with copies of every name."""


def files_below(root: Path, suffixes: Set[str]) -> list[Path]:
    """List files in natural order; links are followed, hidden names are passed over.

    Args:
        root: The folder.
        suffixes: Of the files that matter, in lower case with the dot.

    Raises:
        DataError: A folder cannot be read, or a name is not UTF-8 and could stand in no manifest.
    """
    paths = [path for path in _files_below(root) if path.suffix.lower() in suffixes]
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{shortened(str(path))} is no name in UTF-8; expected one that a manifest can hold; rename it."
            ) from None
    return sorted(paths, key=lambda path: natural_order(str(path)))


def digests_below(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Return {file, relative to the root: sha256} of the files that can be read."""
    digests = {}
    for path in paths:
        try:
            digests[path.relative_to(root).as_posix()] = sha256_of_file(path)
        except OSError:
            continue  # a check of the file itself says what is wrong with it
    return digests


def _files_below(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise unreadable_path(Path(error.filename), error) from error

    seen: set[Path] = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=refuse):
        real = Path(folder).resolve()
        folders[:] = [] if real in seen else [name for name in folders if _matters(name)]
        if real not in seen:
            yield from (Path(folder, name) for name in names if _matters(name))
        seen.add(real)


def _matters(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_OURS
