"""Features on disk, found by the content they were made from.

An entry is one file: a magic word, the sha256 of the payload, the payload (safetensors). An entry whose checksum does
not hold is removed and counted, never used. Writing is a rename, so two processes may share one cache.
"""

import contextlib
import errno
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.runfolder import write_atomically

__all__ = ["FeatureCache"]

_MAGIC = b"anisora1"
_log = logging.getLogger(__name__)


class FeatureCache:
    """A folder of feature entries. A cache that cannot be written is reported once and the run goes on without it."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is created with the first entry."""
        self.folder = folder
        self.damaged = 0
        self.write_failures = 0

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.features"

    def read(self, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of an entry, or None if it is absent or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("Cache entry `%s` cannot be read (%s); its features are computed again.", path, error)
            self.damaged += 1
            return None
        payload = content[40:]
        if content[:8] == _MAGIC and content[8:40] == hashlib.sha256(payload).digest():
            with contextlib.suppress(SafetensorError):
                return dict(load(payload))
        self.damaged += 1
        _log.warning("Cache entry `%s` is damaged; its features are computed again.", path)
        with contextlib.suppress(OSError):  # on a read-only cache the entry stays, and stays unused
            path.unlink()
        return None

    def write(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key; a full or read-only disk costs the entry, not the run."""
        from safetensors.numpy import save

        payload = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        try:
            # No flush to disk: a torn entry is found by its checksum and computed again.
            with write_atomically(self._path(key), "cache", flush=False) as file:
                file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
        except OSError as error:
            if self.write_failures == 0:
                _log.warning(
                    "Cache `%s` cannot be written (%s); the run goes on without it.",
                    self.folder,
                    os.strerror(error.errno or errno.EIO),
                )
            self.write_failures += 1
