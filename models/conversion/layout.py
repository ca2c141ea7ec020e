"""Checkpoint layouts as data: what becomes of each tensor of a published file under the names of another library.

Every target tensor comes from one source tensor, so that a checkpoint can be converted tensor by tensor, in any order
and from any number of shards.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["CheckpointLayout", "Piece", "check_shapes", "convert_state", "converted_pieces"]

_NAMED: Final = 3  # keys spelled out in an error message


@dataclass(frozen=True, slots=True)
class Piece:
    """A target tensor, as equal parts of the source's rows."""

    key: str
    """Its name in the target."""
    parts: int = 1
    """Into how many equal parts the source is cut along its first axis."""
    taken: tuple[int, ...] = (0,)
    """Which of them the target has, in this order."""
    shape: tuple[int, ...] | None = None
    """To be reshaped to, where the target has other axes; None leaves the shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointLayout:
    """The names of one kind of published file."""

    name: str
    pieces: Callable[[str], tuple[Piece, ...] | None]
    """Source key -> its targets; () where the target does without, None where no such file has this key."""
    must_be_zero: Callable[[str], bool] = lambda _: False
    """Source keys that the target does without only because every number in them is 0."""
    prefix: str = ""
    """Before every key of the source."""
    prefix_is_optional: bool = False
    """Whether files without the prefix are as good."""
    beside: tuple[str, ...] = ()
    """How the keys of other networks in the same file begin; these are left out."""
    inside: str | None = None
    """Key of a pickled checkpoint that holds the tensors."""

    def bare_key(self, key: str) -> str | None:
        """Return a key without the prefix; None where it lacks one that it must have."""
        if not key.startswith(self.prefix) and not self.prefix_is_optional:
            return None
        return key.removeprefix(self.prefix)


def converted_pieces(
    key: str, tensor: "torch.Tensor", layout: CheckpointLayout
) -> "Iterator[tuple[str, torch.Tensor]]":
    """Yield (target key, tensor) for one tensor of a source; nothing for one of another network beside it.

    Args:
        key: Its name in the source, with the layout's prefix.
        tensor: Of any type and device; results are views of it where they can be.
        layout: Of the source.

    Raises:
        ConfigError: The key is unknown to the layout, the tensor cannot be cut so, or it holds a number where the
            target would lose it.
    """
    import torch

    if key.startswith(layout.beside):
        return
    bare = layout.bare_key(key)
    pieces = None if bare is None else layout.pieces(bare)
    if bare is None or pieces is None:
        raise ConfigError(
            f"Checkpoint has the key {key!r}, which no file of layout {layout.name!r} has; "
            "name the layout that it was written in, or get the file from its authors."
        )
    if layout.must_be_zero(bare) and bool(tensor.any()):
        raise ConfigError(
            f"Checkpoint has numbers other than 0 in {key!r}, and the network it is converted to has no such tensor; "
            "expected zeros alone. The clips would be others: use the code that it was trained with."
        )
    for piece in pieces:
        if piece.parts > 1 and (not tensor.ndim or len(tensor) % piece.parts):
            raise ConfigError(
                f"Checkpoint has {key!r} of shape {tuple(tensor.shape)}; expected rows in {piece.parts} equal parts; "
                f"this is no file of layout {layout.name!r}."
            )
        if piece.parts == 1:
            made = tensor
        else:
            rows = tensor.chunk(piece.parts)
            made = torch.cat([rows[index] for index in piece.taken]) if len(piece.taken) > 1 else rows[piece.taken[0]]
        yield piece.key, made if piece.shape is None else made.reshape(piece.shape)


def convert_state(
    state: "Mapping[str, torch.Tensor]", layout: CheckpointLayout, shapes: Mapping[str, Sequence[int]]
) -> "dict[str, torch.Tensor]":
    """Return a whole state under the target's names.

    Args:
        state: The source's tensors.
        layout: Of the source.
        shapes: {key: shape} of the target, all of which must be there.

    Raises:
        ConfigError: A key is unknown, absent, there twice or of another shape.
    """
    converted: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        for target, piece in converted_pieces(key, tensor, layout):
            if target in converted:
                raise ConfigError(
                    f"Checkpoint has two tensors for {target!r}, one is {key!r}; expected one of them; "
                    "a file may hold each network once, with or without its prefix."
                )
            converted[target] = piece
    check_shapes({key: tuple(tensor.shape) for key, tensor in converted.items()}, shapes, layout)
    return converted


def check_shapes(
    found: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]], layout: CheckpointLayout
) -> None:
    """Raise ConfigError unless converted tensors are those of the target, by name and shape.

    Args:
        found: {target key: shape} of what was converted.
        wanted: {key: shape} of the target.
        layout: Of the source, for the message.
    """
    for what, keys in (
        ("lacks", sorted(wanted.keys() - found.keys())),
        ("would add", sorted(found.keys() - wanted.keys())),
        (
            "has other shapes for",
            sorted(key for key in wanted.keys() & found.keys() if tuple(found[key]) != tuple(wanted[key])),
        ),
    ):
        if keys:
            raise ConfigError(
                f"Checkpoint of layout {layout.name!r} {what} {_some(keys, found, wanted)}; expected exactly the "
                f"network's {len(wanted)} tensors; a shard may be missing, or it is another network's file."
            )


def _some(keys: Iterable[str], found: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]) -> str:
    named = list(keys)
    texts = []
    for key in named[:_NAMED]:
        both = key in found and key in wanted
        texts.append(f"{key!r}{f' ({tuple(found[key])}, expected {tuple(wanted[key])})' if both else ''}")
    return ", ".join(texts) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")
