"""From the tensors of a published checkpoint to those of a network, checked by name and shape before one is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from anisora.harness.device import Dtype, torch_dtype
from anisora.harness.errors import ConfigError
from anisora.models.conversion.layout import CheckpointLayout, check_shapes, converted_pieces
from anisora.models.conversion.source import Source

if TYPE_CHECKING:
    import torch

__all__ = ["TargetTensor", "convert_tensors", "plan_tensors", "read_target"]

_STORED_FLOATS: Final[Mapping[Dtype, str]] = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})


@dataclass(frozen=True, slots=True)
class TargetTensor:
    """A tensor of the network and where it comes from."""

    source: str
    """Key of the one tensor of the checkpoint that it is made of."""
    dtype: str
    """By its name in safetensors."""
    shape: tuple[int, ...]


def plan_tensors(
    source: Source,
    layout: CheckpointLayout,
    shapes: Mapping[str, Sequence[int]],
    *,
    dtype: Dtype = "bfloat16",
    keep_float32: Sequence[str] = (),
) -> dict[str, TargetTensor]:
    """Say what becomes of a checkpoint.

    No number is read, but for the few tensors that a layout drops only because they are zeros.

    Args:
        source: The checkpoint.
        layout: That it was written in.
        shapes: {key: shape} of the network, all of which must be made.
        dtype: Number format of the floating-point tensors.
        keep_float32: Parts of keys (between points) that name modules which stay in float32.

    Returns:
        {key of the network: its tensor}, in the order of ``shapes``.

    Raises:
        ConfigError: A key is unknown, absent or of another shape, two make the same, or a tensor that must be zero
            is not.
    """
    import torch

    made: dict[str, TargetTensor] = {}
    on_shapes_alone = replace(layout, must_be_zero=lambda _: False)
    for key, known in source.tensors.items():
        blank = torch.empty(known.shape, device="meta")
        for target, piece in converted_pieces(key, blank, on_shapes_alone):
            if target in made:
                raise ConfigError(
                    f"Checkpoint `{source.path}` has {made[target].source!r} and {key!r}, and both become {target!r}; "
                    "expected one of them; it mixes two files."
                )
            made[target] = TargetTensor(key, _format(target, known.dtype, dtype, keep_float32), tuple(piece.shape))
        if layout.must_be_zero(layout.bare_key(key) or key):
            _ = dict(converted_pieces(key, source.read(key), layout))
    check_shapes({key: tensor.shape for key, tensor in made.items()}, shapes, layout)
    return {key: made[key] for key in shapes}


def _format(target: str, stored: str, dtype: Dtype, keep_float32: Sequence[str]) -> str:
    if stored not in _FLOATS:
        return stored
    return "F32" if set(keep_float32) & set(target.split(".")) else _STORED_FLOATS[dtype]


def read_target(source: Source, layout: CheckpointLayout, key: str, target: TargetTensor) -> "torch.Tensor":
    """Read and convert one tensor of a plan.

    Args:
        source: The checkpoint.
        layout: That it was written in.
        key: Of the network.
        target: What ``plan_tensors`` says of it.

    Raises:
        ConfigError: A number is too large for the number format.
    """
    whole = source.read(target.source)
    piece = next(made for name, made in converted_pieces(target.source, whole, layout) if name == key)
    return _cast(source, target, piece)


def _cast(source: Source, target: TargetTensor, piece: "torch.Tensor") -> "torch.Tensor":
    """Return a piece in the number format of the plan, in memory that no other tensor shares."""
    formats = {stored: torch_dtype(name) for name, stored in _STORED_FLOATS.items()}
    if target.dtype not in formats or piece.dtype == formats[target.dtype]:
        return piece.contiguous()
    cast = piece.to(formats[target.dtype]).contiguous()
    if bool(cast.isinf().any()) and not bool(piece.isinf().any()):
        raise ConfigError(
            f"Checkpoint `{source.path}` has numbers in {target.source!r} that are too large for "
            f"{str(cast.dtype).removeprefix('torch.')}; expected a wider format: give --dtype bfloat16 or float32."
        )
    return cast


def convert_tensors(
    source: Source,
    layout: CheckpointLayout,
    shapes: Mapping[str, Sequence[int]],
    *,
    dtype: Dtype = "bfloat16",
    keep_float32: Sequence[str] = (),
) -> "Iterator[tuple[str, torch.Tensor]]":
    """Yield (key, tensor) of a network, each read when it is asked for; everything is checked before the first.

    Args:
        source: The checkpoint.
        layout: That it was written in.
        shapes: {key: shape} of the network, all of which come.
        dtype: Number format of the floating-point tensors.
        keep_float32: Parts of keys (between points) that name modules which stay in float32.

    Raises:
        ConfigError: As ``plan_tensors`` and ``read_target``.
    """
    plan = plan_tensors(source, layout, shapes, dtype=dtype, keep_float32=keep_float32)
    for key in dict.fromkeys(target.source for target in plan.values()):
        pieces = dict(converted_pieces(key, source.read(key), layout))
        for name, piece in pieces.items():
            yield name, _cast(source, plan[name], piece)
