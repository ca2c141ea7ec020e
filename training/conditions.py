"""The conditions of training: which frames of a clip guide it, and how often they and the prompt are left out.

AniSora V1 draws a first guide, frame 0 or with a chance of one half any frame, and with the same chance a second one of
any frame; V2 is always given the first frame. A guide lies in the latent frame that holds it, everything else is 0.

Reference: anisoraV1_train_gpu/sat/diffusion_video.py (SATVideoDiffusionEngine.shared_step);
anisoraV2_gpu/fastvideo/train.py (train_one_step).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from anisora.harness.errors import ConfigError, DataError
from anisora.models.cogvideox.guide_slots import (
    TEMPORAL_COMPRESSION,
    guides_in_slots,
    latent_frames,
    slot_of_frame,
    uses_clip_latent,
)
from anisora.models.wan.condition_mask import keyframe_mask, pack_mask
from anisora.models.wan.latent_size import VAE_STRIDE

if TYPE_CHECKING:
    import torch

__all__ = [
    "GUIDE_DROPOUT",
    "TEXT_DROPOUT",
    "Draws",
    "GeneratorDraws",
    "GuideDraw",
    "draw_guides",
    "drop_text",
    "first_frame_condition",
    "guide_condition",
]

GUIDE_DROPOUT: Final = 0.05
"""Of V1: how often the condition is all 0."""
TEXT_DROPOUT: Final = 0.1
"""Of V1: how often a prompt's embedding is all 0."""


class Draws(Protocol):
    """Where chance comes from; one after another, in the order in which they are asked for."""

    def coin(self) -> bool:
        """Return yes with a chance of one half."""
        ...

    def frame(self, count: int) -> int:
        """Return one of ``count`` frames, from 0."""
        ...

    def uniform(self) -> float:
        """Return a number from 0 to below 1."""
        ...


@dataclass(frozen=True, slots=True)
class GeneratorDraws:
    """Draws of a generator of torch on the CPU, the same on every machine."""

    generator: "torch.Generator"

    def coin(self) -> bool:
        """Return yes with a chance of one half."""
        return bool(self.frame(2))

    def frame(self, count: int) -> int:
        """Return one of ``count`` frames, from 0."""
        import torch

        return int(torch.randint(count, (), generator=self.generator))

    def uniform(self) -> float:
        """Return a number from 0 to below 1."""
        import torch

        return float(torch.rand((), generator=self.generator, dtype=torch.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideDraw:
    """What was drawn for a clip."""

    frames: tuple[int, ...]
    """One or two frames of the clip, from 0; the first one comes first and stays where both share a latent frame."""
    is_dropped: bool
    """Whether the condition is left out."""


def draw_guides(num_frames: int, draws: Draws, *, dropout: float = GUIDE_DROPOUT) -> GuideDraw:
    """Draw the guides of a clip, as V1 does.

    Args:
        num_frames: Of the clip, 1 or more.
        draws: Where chance comes from.
        dropout: Chance of no condition, 0 to 1.

    Raises:
        ConfigError: There is no frame, or the chance is none.
    """
    if num_frames < 1:
        raise ConfigError(f"`num_frames` got {num_frames}; expected 1 or more. Pass the frames of the clip.")
    _check_chance(dropout)
    frames = [draws.frame(num_frames) if draws.coin() else 0]
    if draws.coin():
        frames.append(draws.frame(num_frames))
    return GuideDraw(frames=tuple(frames), is_dropped=draws.uniform() < dropout)


def guide_condition(
    latents: "torch.Tensor",
    draw: GuideDraw,
    num_frames: int,
    encode_frame: "Callable[[int], torch.Tensor]",
    *,
    compression: int = TEMPORAL_COMPRESSION,
) -> "torch.Tensor":
    """Return the latents that guide a clip, as V1 trains on them; no noise is added to them.

    Args:
        latents: (B, T, C, h, w), of the whole clip, scaled.
        draw: What was drawn for it.
        num_frames: Of the clip, 4k+1.
        encode_frame: (frame from 0) -> the latents (B, C, h, w) of that frame encoded alone, scaled. Not called for
            frame 0 and the last four, whose latents the clip has.
        compression: Frames to one latent frame.

    Returns:
        (B, T, C, h, w).

    Raises:
        ConfigError: The number of frames is not of the form.
        DataError: The latents are not of that many frames, or a drawn frame is not of the clip.
    """
    total = latent_frames(num_frames, compression)
    if latents.ndim != 5 or latents.shape[1] != total:
        raise DataError(
            f"`latents` has shape {tuple(latents.shape)}; expected (B, {total}, C, h, w), the latent frames of "
            f"{num_frames} frames second. Permute what the VAE returns."
        )
    if draw.is_dropped:
        return latents.new_zeros(latents.shape)
    slots = [slot_of_frame(frame, compression) for frame in draw.frames]
    guides = [
        latents[:, slot] if uses_clip_latent(frame, num_frames, compression) else encode_frame(frame)
        for frame, slot in zip(draw.frames, slots, strict=True)
    ]
    return guides_in_slots(guides, slots, total)


def drop_text(text: "torch.Tensor", draws: Draws, *, dropout: float = TEXT_DROPOUT) -> "torch.Tensor":
    """Return the embeddings of prompts, each all 0 with a chance; sampling guides away from what 0 gives.

    Args:
        text: (B, L, D).
        draws: Where chance comes from, one draw a prompt.
        dropout: The chance, 0 to 1.

    Raises:
        ConfigError: The chance is none.
    """
    _check_chance(dropout)
    import torch

    is_dropped = torch.tensor([draws.uniform() < dropout for _ in range(len(text))], device=text.device)
    return text.masked_fill(is_dropped.view(-1, 1, 1), 0)


def first_frame_condition(first_frame_latents: "torch.Tensor") -> "torch.Tensor":
    """Return the condition of V2: the mask of the first frame, then the latents of a clip that has nothing else.

    Args:
        first_frame_latents: (C, T, h, w), normalised, of a clip that is mid-grey after its first frame.

    Returns:
        (4 + C, T, h, w).

    Raises:
        DataError: The shape is another.
    """
    import torch

    if first_frame_latents.ndim != 4 or 0 in first_frame_latents.shape:
        raise DataError(
            f"`first_frame_latents` has shape {tuple(first_frame_latents.shape)}; expected (C, T, h, w). Pass a clip "
            "at a time."
        )
    _, total, height, width = first_frame_latents.shape
    mask = pack_mask(keyframe_mask([0], (total - 1) * VAE_STRIDE[0] + 1, height, width))
    return torch.cat([mask.to(first_frame_latents), first_frame_latents])


def _check_chance(chance: float) -> None:
    if not 0 <= chance <= 1:
        raise ConfigError(f"`dropout` got {chance!r}; expected a chance from 0 to 1. AniSora V1 takes 0.05 and 0.1.")
