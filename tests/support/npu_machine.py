"""A process on a machine with an NPU, or with the stand-in for one."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from small_suite import COMMAND, environment

__all__ = ["anisora", "python"]

_STAND_IN = Path(__file__).parent / "npu_stand_in"


def python(code: str, *, missing: Sequence[str] = ()) -> Any:
    """Run a program beside the stand-in and return what it prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], env=_surroundings(missing), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def anisora(argv: Sequence[str], folder: Path, *, code: int = 0) -> dict[str, Any]:
    """Run the command line beside the stand-in, in a new folder, and return what the stand-in tells of its work.

    Args:
        argv: Words of the command.
        folder: Is made; has a cache of its own.
        code: The exit code that is expected.

    Returns:
        {"sent": 0} where torch_npu was not imported.
    """
    folder.mkdir()
    report = folder / "stand-in.json"
    extra = {"ANISORA_CACHE": str(folder / "cache"), "NPU_STAND_IN_REPORT": str(report)}
    done = subprocess.run(
        [*COMMAND, *argv], cwd=folder, env={**_surroundings(), **extra}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    told: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {"sent": 0}
    return told


def _surroundings(missing: Sequence[str] = ()) -> dict[str, str]:
    here = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*([here] if here else []), str(_STAND_IN)])
    return environment(PYTHONPATH=path, NPU_STAND_IN_MISSING=",".join(missing), TORCH_DEVICE_BACKEND_AUTOLOAD="0")
