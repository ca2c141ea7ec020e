"""sha256 of large files that seldom change: read once, then known by size and time of change.

For records alone. What decides whether a file may be trusted hashes it (``weights.locate``).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from anisora.harness.runfolder import sha256_of_file, write_atomically
from anisora.harness.weights import cache_folder

__all__ = ["remembered_digests"]

_FILE: Final = "file-digests.json"


def remembered_digests(paths: Iterable[Path]) -> dict[Path, str]:
    """Return {path: sha256}; files that are as they were when they were last asked for are not read again.

    Args:
        paths: Files that exist.

    Raises:
        OSError: One cannot be read.
    """
    store = cache_folder() / _FILE
    known = _read(store)
    found: dict[Path, str] = {}
    fresh: dict[str, list[str | int]] = {}
    for path in paths:
        place = path.resolve()
        status = place.stat()
        state = [status.st_size, status.st_mtime_ns]
        entry = known.get(str(place))
        if entry is not None and entry[1:] == state:
            found[path] = str(entry[0])
        else:
            found[path] = sha256_of_file(place)
            fresh[str(place)] = [found[path], *state]
    if fresh:
        store.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(store, "cache", flush=False) as file:
            file.write(json.dumps({**_read(store), **fresh}, indent=1, sort_keys=True).encode())
    return found


def _read(store: Path) -> dict[str, list[str | int]]:
    """Return what is known; a file that is absent or damaged knows nothing."""
    try:
        content = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
