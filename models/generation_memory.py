"""How much of a device's memory making one clip takes, told before anything is loaded.

Weights are counted from shapes. What networks compute comes on top: a few copies of the widest tensors that are alive
at once, by the formulas below. On a GPU the caching allocator takes more than is alive; a tenth is added for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anisora.harness.device import Dtype
from anisora.harness.errors import ConfigError
from anisora.harness.memory_estimate import DTYPE_BYTES, gigabytes
from anisora.models.placement import OFFLOADS, Offload

__all__ = ["ComponentMemory", "GenerationMemory", "decoder_working", "transformer_working"]

_ALLOCATOR: Final = 1.1
TILE: Final = 256
"""Side of a tile of diffusers' VAEs, pixels."""


def transformer_working(tokens: int, width: int, hidden: int, dtype: Dtype, batch: int = 1) -> int:
    """Return the bytes that a transformer's block computes with.

    The state, its normalised copy in float32 and in the number format, queries, keys, values and the attention's
    result, and the hidden layer of the feed-forward network with its activation.

    Args:
        tokens: Patches of the clip, and of the text where both are one sequence.
        width: Of the state.
        hidden: Of the feed-forward network.
        dtype: Number format.
        batch: Clips at once; 2 where both branches of the guidance are one call.
    """
    size = DTYPE_BYTES[dtype]
    return batch * tokens * (width * (6 * size + 2 * 4) + hidden * 2 * size)


def decoder_working(height: int, width: int, num_frames: int, channels: int, chunk: int, dtype: Dtype) -> int:
    """Return the bytes that a causal video decoder computes with, and the clip that it returns.

    Five copies of its last layers' tensors for the frames of one chunk: input padded in time, output, a residual and
    two of the activation.

    Args:
        height: Of what is decoded at once, pixels.
        width: The same.
        num_frames: Of the clip.
        channels: Of the last layers.
        chunk: Frames that are decoded at once.
        dtype: Number format.
    """
    size = DTYPE_BYTES[dtype]
    return 5 * channels * (chunk + 2) * height * width * size + 2 * 3 * num_frames * height * width * size


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentMemory:
    """One network."""

    weights: int
    """Bytes."""
    working: int
    """Bytes that it computes with."""
    working_tiled: int | None = None
    """The same with tiling, where there is such a thing."""
    layer: int | None = None
    """Bytes of its largest layer, where layers can come to the device one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationMemory:
    """What one clip takes."""

    components: Mapping[str, ComponentMemory]
    tiling: bool = False

    def needed(self, offload: Offload, *, tiling: bool | None = None) -> int:
        """Return the bytes of the device that are taken at once.

        Args:
            offload: What stays on the device.
            tiling: Whether the VAE works on tiles; None is as asked for.
        """
        tiled = self.tiling if tiling is None else tiling
        parts = self.components.values()
        working = [part.working_tiled if tiled and part.working_tiled is not None else part.working for part in parts]
        if offload == "none":
            total = sum(part.weights for part in parts) + max(working)
        else:
            there = [part.layer if offload == "group" and part.layer is not None else part.weights for part in parts]
            total = max(weights + work for weights, work in zip(there, working, strict=True))
        return round(_ALLOCATOR * total)

    def text(self, offload: Offload, *, device: str, free: int | None) -> str:
        """Return one line for people.

        Args:
            offload: What stays on the device.
            device: Its name.
            free: Bytes that it has; None if unknown.
        """
        parts = ", ".join(f"{name} {gigabytes(part.weights)}" for name, part in self.components.items())
        told = "unknown" if free is None else gigabytes(free)
        return f"{parts}; at most {gigabytes(self.needed(offload))} at once; free on {device}: {told}"

    def check_fits(self, offload: Offload, *, device: str, free: int | None) -> None:
        """Refuse what cannot fit.

        Args:
            offload: What stays on the device.
            device: Its name.
            free: Bytes that it has; None, which refuses nothing, if unknown.

        Raises:
            ConfigError: More is needed than is free; the message has settings that fit.
        """
        needed = self.needed(offload)
        if free is None or needed <= free:
            return
        raise ConfigError(
            f"`--model` asks for about {gigabytes(needed)} on {device}, which has {gigabytes(free)} free; expected no "
            f"more; {self._advice(device, free)}."
        )

    def _advice(self, device: str, free: int) -> str:
        offloads: tuple[Offload, ...] = ("none",) if device == "cpu" else OFFLOADS
        for tiling in (False, True):
            for offload in offloads:
                if (needed := self.needed(offload, tiling=tiling)) <= free:
                    words = [*([f"offload={offload}"] if offload != "none" else []), *(["tiling"] if tiling else [])]
                    return f"{','.join(words)} in the model's specification would fit ({gigabytes(needed)})"
        least = min(self.needed(offload, tiling=True) for offload in offloads)
        return (
            f"the least is {gigabytes(least)} at this size: ask for fewer --num-frames or a smaller --height and "
            "--width, or take another device"
        )
