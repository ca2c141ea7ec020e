"""Writes the tensors of a pickled torch checkpoint as safetensors, without torch and without running anything of it.

``weights.load_state_dict`` refuses a checkpoint that holds objects of classes other than tensors: training options,
schedulers, whole modules. Here such objects are placeholders (``checkpoint_tensors``), and the numbers of the tensors
are copied byte by byte.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from anisora.harness.checkpoint_tensors import CheckpointTensors, open_checkpoint, problems_of
from anisora.harness.errors import ConfigError
from anisora.harness.safetensors_file import write_tensors

__all__ = ["Converted", "convert_checkpoint"]


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written."""

    tensors: int
    bytes: int
    sha256: str
    left_out: tuple[str, ...]
    """Keys beside the tensors that hold something else, with its kind."""


def convert_checkpoint(path: Path, out: Path, *, inside: str | None = None) -> Converted:
    """Write the tensors of a checkpoint as safetensors.

    Args:
        path: A file of ``torch.save``: a dictionary of tensors, or with one inside, or a module.
        out: The file to write; it must not exist.
        inside: Key under which the checkpoint keeps the tensors or the module.

    Returns:
        How many tensors and bytes were written, the sha256 of the new file, and what was left out.

    Raises:
        WeightsMissing: The checkpoint is absent or damaged.
        ConfigError: It asks for a call, is a program, holds no tensors there or numbers that are not known, or ``out``
            is no name for the new file.
    """
    if out.suffix != ".safetensors" or out.exists():
        raise ConfigError(f"`{out}` is no name for the new file; expected one that ends in .safetensors and is free.")
    checkpoint = open_checkpoint(path, inside=inside)
    with problems_of(path):
        digest = _write(checkpoint, out)
    return Converted(len(checkpoint.tensors), out.stat().st_size, digest, checkpoint.left_out)


def _write(checkpoint: CheckpointTensors, out: Path) -> str:
    """Write the file and return its sha256."""
    kinds = {name: (tensor.storage.dtype, tensor.shape) for name, tensor in checkpoint.tensors.items()}
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            digest = write_tensors(file, kinds, lambda name: checkpoint.numbers(name).data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return digest
