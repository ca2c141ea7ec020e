"""Golden cases that a test changes: read, copied, altered and compared."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from shared_data import GOLDEN

from anisora.harness.registry import registry

__all__ = ["change_json", "change_tensors", "copy_case", "failed_names", "read_case"]


def read_case(folder: Path) -> dict[str, Any]:
    """Return the case.json of a folder."""
    found: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return found


def failed_names(kind: str, folder: Path | None = None, **config: object) -> set[str]:
    """Run the handler of a kind, with other constants where they are given, and return what differs."""
    path = folder or GOLDEN / kind
    case = read_case(path)
    case["config"] = {**case["config"], **config}
    return {each.name for each in registry("parity").get(kind)(path, case) if not each.passed}


def copy_case(kind: str, parent: Path) -> Path:
    """Copy the case of a kind to where it may be written."""
    folder = parent / kind
    shutil.copytree(GOLDEN / kind, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    """Change the content of a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def change_tensors(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the tensors of a file in place."""
    tensors = load_file(path)
    change(tensors)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path)
