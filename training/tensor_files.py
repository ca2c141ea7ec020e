"""Files of named tensors, written whole or not at all."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from anisora.harness.runfolder import write_atomically
from anisora.harness.safetensors_file import write_tensors

if TYPE_CHECKING:
    import torch

__all__ = ["write_tensor_file"]


def write_tensor_file(path: Path, tensors: "Mapping[str, torch.Tensor] | Iterable[tuple[str, torch.Tensor]]") -> str:
    """Write tensors as safetensors; return the sha256 of the file.

    Args:
        path: The file.
        tensors: {name: tensor}, or pairs, of floating-point numbers, whole numbers or bytes.

    Raises:
        OSError: The disk is full.
    """
    import torch

    stored = {
        torch.float64: "F64",
        torch.float32: "F32",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
        torch.int64: "I64",
        torch.uint8: "U8",
    }
    named = {name: tensor.detach().cpu().contiguous() for name, tensor in dict(tensors).items()}

    def numbers(name: str) -> memoryview:
        view: memoryview = named[name].reshape(-1).view(torch.uint8).numpy().data
        return view

    with write_atomically(path, "checkpoint") as file:
        return write_tensors(file, {name: (stored[each.dtype], each.shape) for name, each in named.items()}, numbers)
