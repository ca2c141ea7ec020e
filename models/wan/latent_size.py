"""How large a clip becomes: the requested area, in the aspect ratio of the first image.

Reference: anisoraV2_gpu/wan/image2video.py, anisoraV3/wan/image2video_any.py (generate).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anisora.harness.errors import ConfigError

__all__ = ["PATCH_SIZE", "VAE_STRIDE", "LatentSize", "latent_frames", "latent_size"]

VAE_STRIDE: Final = (4, 8, 8)
"""Frames, rows and columns of pixels to one latent."""
PATCH_SIZE: Final = (1, 2, 2)
"""Latents of the transformer's patches: sizes are multiples of it."""


@dataclass(frozen=True, slots=True)
class LatentSize:
    """Rows and columns, in latents and in pixels."""

    height: int
    width: int
    pixel_height: int
    pixel_width: int


def latent_frames(num_frames: int) -> int:
    """Return the latent frames of a clip: the first frame has one of its own."""
    return (num_frames - 1) // VAE_STRIDE[0] + 1


def latent_size(
    max_area: int,
    image_height: int,
    image_width: int,
    *,
    vae_stride: Sequence[int] = VAE_STRIDE,
    patch_size: Sequence[int] = PATCH_SIZE,
) -> LatentSize:
    """Return the largest size of an area that has about the aspect ratio of an image and whole patches.

    Both sides are cut to a whole patch, so the aspect ratio is not kept exactly.

    Args:
        max_area: Pixels of a frame, such as 1280 * 720; only the product counts.
        image_height: Of the first image, pixels.
        image_width: The same.
        vae_stride: (frames, rows, columns) of pixels to one latent.
        patch_size: (frames, rows, columns) of latents to one patch.

    Raises:
        ConfigError: The area does not hold one patch in this aspect ratio, or a size is not positive.

    Example:
        >>> latent_size(1280 * 720, 1080, 1920)
        LatentSize(height=90, width=160, pixel_height=720, pixel_width=1280)
    """
    if min(max_area, image_height, image_width) < 1:
        raise ConfigError(
            f"`max_area` got {max_area} and the image has {image_height} rows and {image_width} columns; "
            "expected positive numbers of pixels. Pass the size of the first image."
        )
    ratio = image_height / image_width
    height = _whole_patches(math.sqrt(max_area * ratio), vae_stride[1], patch_size[1])
    width = _whole_patches(math.sqrt(max_area / ratio), vae_stride[2], patch_size[2])
    if not height or not width:
        raise ConfigError(
            f"`max_area` got {max_area}; an image of {image_width}x{image_height} gets {height}x{width} latents in it; "
            "expected at least one patch on both sides. Ask for a larger area or crop the image."
        )
    return LatentSize(height, width, height * vae_stride[1], width * vae_stride[2])


def _whole_patches(pixels: float, stride: int, patch: int) -> int:
    return int(pixels // stride // patch) * patch
