"""A folder that appears only when everything in it is there."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anisora.harness.errors import ConfigError

__all__ = ["check_new", "new_folder"]


def check_new(out: Path) -> None:
    """Raise ConfigError if something is at the place of the folder already."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if os.path.lexists(out):
        raise ConfigError(
            f"`--out` got `{out}`, where something is already; expected a new folder; choose another one."
        )
    existing = next(path for path in out.absolute().parents if os.path.lexists(path))
    if not existing.is_dir():
        raise ConfigError(f"`--out` got `{out}`, but `{existing}` is a file; expected a folder; choose another one.")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` to write into; it takes the name at the end, and is removed when something fails.

    What a killed process left there is removed first.

    Args:
        out: Absent, or an empty folder.

    Raises:
        ConfigError: Something is there already, or another process is making it.
    """
    check_new(out)
    out = out.absolute()
    part = out.with_name(f".{out.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(part, os.O_RDONLY)
    try:
        if not _is_ours(descriptor, part):
            raise ConfigError(f"`{out}` is being written by another process; wait for it, or choose another --out.")
        for left in part.iterdir():  # of a killed process
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield part
            os.fsync(descriptor)
            part.replace(out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        _flush(out.parent)  # a rename is on disk only when its folder is
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int, part: Path) -> bool:
    """Lock a folder; return whether that could be done and it still has the name under which it was opened."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), part.stat())
    except OSError:
        return False


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
