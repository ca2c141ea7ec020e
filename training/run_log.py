"""The log of a training: a line of JSON for each step."""

from pathlib import Path
from typing import Any

from anisora.harness.journal import read_journal
from anisora.harness.record import canonical_json
from anisora.harness.runfolder import write_atomically
from anisora.harness.training_folder import LOG

__all__ = ["LOG", "cut_log", "read_log"]


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log, in order; a torn last one is left out.

    Args:
        path: May not exist.
    """
    return read_journal(path)


def cut_log(path: Path, step: int) -> None:
    """Leave out the lines of steps that are taken again.

    Args:
        path: May not exist.
        step: The last one that stays, counted from 1.
    """
    lines = read_log(path)
    kept = [line for line in lines if line["step"] <= step]
    if len(kept) == len(lines):
        return
    with write_atomically(path, "checkpoint") as file:
        file.writelines(canonical_json(line).encode() + b"\n" for line in kept)
