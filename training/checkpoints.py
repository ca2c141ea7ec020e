"""Checkpoints of a training: everything that the next step depends on, in a folder that is there whole or not at all.

checkpoints/step-00000200/
  trained.safetensors         weights in training
  optimizer.safetensors       moments of AdamW, MOMENT/NAME
  averages.safetensors        moving averages of the weights, where there are any
  random-states.safetensors   of each process, PROCESS/GENERATOR
  state.json                  the step, the number of processes, and the sha256 of each file
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import RecordError
from anisora.harness.runfolder import sha256_of_file, write_atomically
from anisora.harness.weights import load_state_dict
from anisora.models.conversion.new_folder import new_folder
from anisora.training.tensor_files import write_tensor_file

if TYPE_CHECKING:
    import torch

__all__ = ["Checkpoint", "latest_checkpoint", "read_checkpoint", "remove_old_checkpoints", "write_checkpoint"]

_STATE: Final = "state.json"
_NAME: Final = re.compile(r"step-(\d{8,})")
_PARTS: Final = ("trained", "optimizer", "averages", "random-states")

Tensors = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What is kept."""

    step: int
    """Steps that were taken."""
    processes: int
    trained: Tensors
    optimizer: Tensors
    averages: Tensors
    """Empty without a moving average."""
    random_states: Tensors


def _folder(run: Path) -> Path:
    return run / "checkpoints"


def latest_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint of a run folder, or None where there is none."""
    folder = _folder(run)
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)


def write_checkpoint(run: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint; return its folder. One of the same step that is there is left as it is.

    Raises:
        OSError: The disk is full; earlier checkpoints are untouched.
    """
    out = _folder(run) / f"step-{checkpoint.step:08d}"
    if out.is_dir():
        return out
    named = dict(
        zip(
            _PARTS,
            (checkpoint.trained, checkpoint.optimizer, checkpoint.averages, checkpoint.random_states),
            strict=True,
        )
    )
    with new_folder(out) as part:
        files = {
            f"{name}.safetensors": write_tensor_file(part / f"{name}.safetensors", tensors)
            for name, tensors in named.items()
            if tensors
        }
        state = {
            "step": checkpoint.step,
            "processes": checkpoint.processes,
            "files": files,
        }
        with write_atomically(part / _STATE, "checkpoint") as file:
            file.write((json.dumps(state, indent=1, sort_keys=True) + "\n").encode())
    return out


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        RecordError: It is damaged: a file is absent or has other bytes than were written.
    """
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        files = {name: str(digest) for name, digest in state["files"].items()}
        wrong = [name for name, digest in files.items() if sha256_of_file(folder / name) != digest]
        step, processes = int(state["step"]), int(state["processes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"Checkpoint `{folder}` is damaged ({type(error).__name__}: {str(error)[:80]}); remove it to go on from "
            "the one before it."
        ) from error
    if wrong:
        raise RecordError(
            f"Checkpoint `{folder}` is damaged: {wrong[0]} has other bytes than were written; remove the checkpoint to "
            "go on from the one before it."
        )
    parts = {
        name: load_state_dict(folder / f"{name}.safetensors") if f"{name}.safetensors" in files else {}
        for name in _PARTS
    }
    return Checkpoint(
        step=step,
        processes=processes,
        trained=parts["trained"],
        optimizer=parts["optimizer"],
        averages=parts["averages"],
        random_states=parts["random-states"],
    )


def remove_old_checkpoints(run: Path, keep: int) -> None:
    """Remove all but the newest checkpoints.

    Args:
        run: The run folder.
        keep: How many stay, 1 or more.
    """
    found = sorted(path for path in _folder(run).iterdir() if _NAME.fullmatch(path.name))
    for path in found[:-keep]:
        shutil.rmtree(path)
