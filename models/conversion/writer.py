"""Networks on disk as diffusers lays them out: one file, or shards with an index, and the configuration beside.

Tensors are read, converted and written one at a time, and each file is hashed while it is written.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.runfolder import write_atomically
from anisora.harness.safetensors_file import ITEM_BYTES, file_bytes, write_tensors
from anisora.models.conversion.layout import CheckpointLayout
from anisora.models.conversion.source import INDEX_SUFFIX, Source
from anisora.models.conversion.tensors import TargetTensor, read_target

if TYPE_CHECKING:
    import torch

__all__ = ["CONFIG", "PlannedFile", "WrittenFile", "plan_files", "write_json", "write_weights"]

CONFIG: Final = "config.json"
_STEM, _SUFFIX = "diffusion_pytorch_model", ".safetensors"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that is to be written."""

    name: str
    tensors: Mapping[str, TargetTensor]
    bytes: int


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written."""

    name: str
    bytes: int
    sha256: str


def plan_files(tensors: Mapping[str, TargetTensor], *, max_bytes: int) -> list[PlannedFile]:
    """Spread the tensors of a network over files, in their order, as ``save_pretrained`` does.

    Args:
        tensors: {key: tensor} of the network.
        max_bytes: Of the numbers in one file; a tensor that is larger has a file of its own.

    Returns:
        One file or more, named after their number.
    """
    shards: list[dict[str, TargetTensor]] = []
    filling: dict[str, TargetTensor] = {}
    filled = 0
    for key, tensor in tensors.items():
        size = _bytes(tensor)
        if size > max_bytes:
            shards.append({key: tensor})
            continue
        if filled + size > max_bytes:
            shards.append(filling)
            filling, filled = {}, 0
        filling[key] = tensor
        filled += size
    if filling:
        shards.append(filling)
    names = [f"-{at:05d}-of-{len(shards):05d}" if len(shards) > 1 else "" for at in range(1, len(shards) + 1)]
    return [
        PlannedFile(f"{_STEM}{name}{_SUFFIX}", shard, file_bytes(_kinds(shard)))
        for name, shard in zip(names, shards, strict=True)
    ]


def _bytes(tensor: TargetTensor) -> int:
    return math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]


def _kinds(tensors: Mapping[str, TargetTensor]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {key: (tensor.dtype, tensor.shape) for key, tensor in tensors.items()}


def write_weights(
    folder: Path,
    files: list[PlannedFile],
    source: Source,
    layout: CheckpointLayout,
    *,
    told: Callable[[int], None] = lambda _: None,
) -> list[WrittenFile]:
    """Write the files of a network, and their index if there are several.

    Args:
        folder: Of the network.
        files: Of ``plan_files``.
        source: The checkpoint.
        layout: That it was written in.
        told: Is told how many more bytes are there.

    Raises:
        ConfigError: A number is too large for the number format.
        OSError: The disk is full.
    """
    written = []
    for planned in files:

        def numbers(key: str, planned: PlannedFile = planned) -> memoryview:
            tensor = planned.tensors[key]
            found = _numbers(read_target(source, layout, key, tensor))
            told(found.nbytes)
            return found

        with write_atomically(folder / planned.name, "network") as file:
            digest = write_tensors(file, _kinds(planned.tensors), numbers)
        told(planned.bytes - sum(map(_bytes, planned.tensors.values())))  # the header
        written.append(WrittenFile(planned.name, planned.bytes, digest))
    if len(files) > 1:
        total = sum(_bytes(tensor) for planned in files for tensor in planned.tensors.values())
        places = {key: planned.name for planned in files for key in planned.tensors}
        content = {"metadata": {"total_size": total}, "weight_map": places}
        written.append(write_json(folder / f"{_STEM}{_SUFFIX}{INDEX_SUFFIX}", content))
    return written


def _numbers(tensor: "torch.Tensor") -> memoryview:
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy().data


def write_json(path: Path, content: Mapping[str, Any]) -> WrittenFile:
    """Write a JSON file as the libraries of Hugging Face write them: two spaces, sorted keys."""
    text = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    with write_atomically(path, "network") as file:
        file.write(text)
    return WrittenFile(path.name, len(text), hashlib.sha256(text).hexdigest())
