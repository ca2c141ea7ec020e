"""From found networks to folders of diffusers: what would be written is known, and checked, before anything is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anisora
from anisora.harness.device import Dtype
from anisora.harness.networks import shapes_of
from anisora.harness.runfolder import sha256_of_file
from anisora.models.conversion.finding import FoundNetwork
from anisora.models.conversion.tensors import plan_tensors
from anisora.models.conversion.writer import CONFIG, PlannedFile, plan_files, write_json, write_weights

__all__ = ["RECORD", "PlannedNetwork", "plan_network", "write_network"]

RECORD: Final = "conversion.json"
_DEFAULT_DTYPES: Final[Mapping[str, Dtype]] = {"vae": "float32"}
"""{folder: number format unless one is asked for}; the others have bfloat16. A VAE is small and shows its rounding."""


@dataclass(frozen=True, slots=True)
class PlannedNetwork:
    """A network that is to be written."""

    found: FoundNetwork
    class_name: str
    config: Mapping[str, Any]
    """What is to be its ``config.json``."""
    dtype: Dtype
    float32: tuple[str, ...]
    """Modules that stay in float32."""
    files: list[PlannedFile]
    left_out: tuple[str, ...]
    """Keys of the checkpoint that the network does without: other networks', tables, and what is no tensor."""

    @property
    def tensors(self) -> int:
        """How many there are."""
        return sum(len(file.tensors) for file in self.files)

    @property
    def bytes(self) -> int:
        """Of the files with the numbers."""
        return sum(file.bytes for file in self.files)

    @property
    def source_bytes(self) -> int:
        """Of the files that it is made of."""
        return sum(path.stat().st_size for path in self.found.source.files)


def plan_network(
    found: FoundNetwork,
    *,
    dtype: Dtype | None = None,
    max_bytes: int,
    config: Mapping[str, Any] | None = None,
) -> PlannedNetwork:
    """Say what is to be written, after all keys and shapes were found right.

    Args:
        found: The network.
        dtype: Number format; None for bfloat16 of transformers and float32 of VAEs.
        max_bytes: Of the numbers in one file.
        config: The original configuration; None for what lies beside the checkpoint.

    Raises:
        ConfigError: Keys or shapes are not those of the network.
    """
    import json

    source, target = found.source, found.target
    shapes = {key: tensor.shape for key, tensor in source.tensors.items()}
    network = target.network(shapes, found.config if config is None else config)
    wanted: Dtype = dtype or _DEFAULT_DTYPES.get(target.folder, "bfloat16")
    float32 = tuple(getattr(network, "_keep_in_fp32_modules", None) or ())
    tensors = plan_tensors(source, target.layout, shapes_of(network), dtype=wanted, keep_float32=float32)
    taken = {tensor.source for tensor in tensors.values()}
    return PlannedNetwork(
        found,
        type(network).__name__,
        json.loads(network.to_json_string()),
        wanted,
        float32,
        plan_files(tensors, max_bytes=max_bytes),
        (*(key for key in source.tensors if key not in taken), *source.left_out),
    )


def write_network(
    planned: PlannedNetwork, folder: Path, *, told: Callable[[int], None] = lambda _: None
) -> Mapping[str, Any]:
    """Write a network, and beside it what it was made of.

    Args:
        planned: Of ``plan_network``.
        folder: To write into; it exists and is empty.
        told: Is told how many more bytes of the source were hashed, or were written.

    Returns:
        The record.

    Raises:
        ConfigError: A number is too large for the number format.
        OSError: The disk is full.
    """
    source = planned.found.source
    hashed = [_described(path, told) for path in source.files]
    written = write_weights(folder, planned.files, source, planned.found.target.layout, told=told)
    written.append(write_json(folder / CONFIG, planned.config))
    record = {
        "anisora": anisora.__version__,
        "network": planned.class_name,
        "layout": planned.found.layout,
        "dtype": planned.dtype,
        "float32_modules": list(planned.float32),
        "sources": hashed,
        "left_out": list(planned.left_out),
        "files": [{"name": file.name, "bytes": file.bytes, "sha256": file.sha256} for file in written],
    }
    write_json(folder / RECORD, record)
    return record


def _described(path: Path, told: Callable[[int], None]) -> dict[str, Any]:
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of_file(path, told)}
