"""Where V1 puts its guide images: one latent frame each, zeros everywhere else, and no mask.

A clip of 4k+1 frames has k+1 latent frames. Inference takes one image at the start, a second one at the end and a third
in the middle; training takes any two frames of a clip.

Reference: anisoraV1_infer/scripts/cogvideox/fastercache_sample_cogvideox_sp.py, anisoraV1_train_gpu/sat/
diffusion_video.py (shared_step).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

__all__ = [
    "TEMPORAL_COMPRESSION",
    "guide_slots",
    "guides_in_slots",
    "latent_frames",
    "slot_of_frame",
    "uses_clip_latent",
]

TEMPORAL_COMPRESSION: Final = 4
"""Frames to one latent frame."""


def latent_frames(num_frames: int, compression: int = TEMPORAL_COMPRESSION) -> int:
    """Return the number of latent frames of a clip.

    Args:
        num_frames: 4k+1.
        compression: Frames to one latent frame.

    Raises:
        ConfigError: The number of frames is another.
    """
    if num_frames < 1 or (num_frames - 1) % compression:
        raise ConfigError(
            f"`num_frames` got {num_frames}; expected a multiple of {compression} plus 1. The released model makes 49 "
            "or 97 frames."
        )
    return (num_frames - 1) // compression + 1


def guide_slots(images: int, frames: int) -> tuple[int, ...]:
    """Return the latent frame of each guide image, in the order of the images.

    One image: the first. Two: the first and the last. Three: the first, the middle and the last.

    Args:
        images: 1 to 3.
        frames: Latent frames of the clip.

    Raises:
        ConfigError: There is no such number of images, or the clip has fewer latent frames.

    Example:
        >>> guide_slots(3, 13), guide_slots(3, 25)
        ((0, 6, 12), (0, 12, 24))
    """
    if not 1 <= images <= 3 or frames < images:
        raise ConfigError(
            f"`images` got {images} for {frames} latent frames; expected 1 to 3 images, each with a latent frame of "
            "its own. Leave images out or ask for a longer clip."
        )
    last = frames - 1
    return {1: (0,), 2: (0, last), 3: (0, 1 + (frames - 3) // 2, last)}[images]


def slot_of_frame(frame: int, compression: int = TEMPORAL_COMPRESSION) -> int:
    """Return the latent frame that holds a frame of the clip: the first frame has one of its own.

    Args:
        frame: From 0.
        compression: Frames to one latent frame.

    Example:
        >>> [slot_of_frame(frame) for frame in (0, 1, 4, 5, 48)]
        [0, 1, 1, 2, 12]
    """
    return (frame - 1) // compression + 1


def uses_clip_latent(frame: int, num_frames: int, compression: int = TEMPORAL_COMPRESSION) -> bool:
    """Return whether training takes a guide frame's latent out of the clip's own; others are encoded alone.

    The first frame's, and those of the last four frames.

    Args:
        frame: From 0.
        num_frames: Of the clip.
        compression: Frames to one latent frame.
    """
    return frame == 0 or frame >= num_frames - compression


def guides_in_slots(latents: "Sequence[torch.Tensor]", slots: Sequence[int], frames: int) -> "torch.Tensor":
    """Place the latents of guide images; of two in one slot the first one stays.

    Args:
        latents: Each (B, C, h, w), scaled.
        slots: The latent frame of each.
        frames: Latent frames of the clip.

    Returns:
        (B, frames, C, h, w).

    Raises:
        DataError: There is none, the numbers differ, or a slot is not of the clip.
    """
    if not latents or len(latents) != len(slots) or not all(0 <= slot < frames for slot in slots):
        raise DataError(
            f"`latents` has {len(latents)} entries and `slots` is {list(slots)}; expected as many, at least one, from "
            f"0 to {frames - 1}. Take the slots from guide_slots() or slot_of_frame()."
        )
    first = latents[0]
    condition = first.new_zeros(first.shape[0], frames, *first.shape[1:])
    for slot, latent in reversed(list(zip(slots, latents, strict=True))):
        condition[:, slot] = latent
    return condition
