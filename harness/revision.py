"""Which source made a run: commit and whether files differ from it."""

import subprocess
from pathlib import Path

from anisora.harness.record import Json

__all__ = ["git_revision"]


def git_revision(folder: Path | None = None) -> dict[str, Json]:
    """Return commit and whether files differ from it, for a source checkout; empty for an installed package.

    Args:
        folder: A folder of the checkout; this package's by default.
    """
    folder = folder or Path(__file__).resolve().parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
