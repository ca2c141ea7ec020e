"""The files of the repository, as a clone would have them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from shared_data import REPOSITORY

__all__ = ["FOLDERS", "copy_source_tree", "python_files", "source_files"]

FOLDERS = ("harness", "models", "metrics", "reward", "datasets", "leaderboards", "training")
"""The top-level folders that are packages below ``anisora``."""


def source_files() -> list[Path]:
    """Return the paths, relative to the root, of all files that are tracked or would be, symlinks "
    "included."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the source tree is not a git checkout")
    paths = [Path(name) for name in done.stdout.decode().split("\0") if name]
    # A file that was deleted and not yet committed is listed still.
    return sorted(path for path in paths if (REPOSITORY / path).exists())


def python_files(*folders: str) -> list[Path]:
    """Return the absolute paths of the Python files below some top-level folders."""
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def copy_source_tree(destination: Path) -> Path:
    """Copy the files of the repository, keeping symlinks, and return the new root."""
    for path in source_files():
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, target, follow_symlinks=False)
    return destination
