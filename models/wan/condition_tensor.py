"""What Wan's image-to-video networks are given beside the noise: four mask channels and the latents of what is known.

Everything before and after the VAE; the VAE is an argument.

Reference: anisoraV2_gpu/wan/image2video.py, anisoraV3/wan/image2video_any.py (generate), anisora_anymask/wan.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import DataError
from anisora.models.wan.condition_mask import MaskKind, keyframe_mask, known_area, latent_mask, masked_video, pack_mask
from anisora.models.wan.frame_ids import image_at_frame
from anisora.models.wan.latent_size import LatentSize

if TYPE_CHECKING:
    import torch

__all__ = [
    "LATENTS_MEAN",
    "LATENTS_STD",
    "Encode",
    "condition_tensor",
    "keyframe_condition",
    "keyframe_video",
    "mask_video_condition",
    "normalised",
]

Encode = Callable[["torch.Tensor"], "torch.Tensor"]
"""The VAE: a video (3, F, H, W) in -1 to 1 -> the mode of its posterior (z, (F+3) // 4, h, w), not normalised."""

# The constants with which Wan 2.1's VAE is published.
LATENTS_MEAN: Final = (
    *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
    *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
)
"""Mean of each channel of the latents."""
LATENTS_STD: Final = (
    *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
    *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
)
"""Standard deviation of each channel of the latents."""


def keyframe_video(
    images: "Sequence[torch.Tensor]", ids: Sequence[int], num_frames: int, height: int, width: int
) -> "torch.Tensor":
    """Place images in a clip that is mid-grey elsewhere.

    Each image is stretched to the clip's size with bicubic weights, no antialiasing and no clamping. Of images on one
    frame the last one wins.

    Args:
        images: Each (3, H, W) in 0 to 1, of any size.
        ids: The frame of each, as ``frame_ids`` returns them.
        num_frames: Of the clip.
        height: Of the clip, pixels.
        width: The same.

    Returns:
        (3, F, height, width) float32, in -1 to 1 apart from the overshoot of the weights.

    Raises:
        DataError: There are not as many images as frames, or an image is not RGB.
    """
    import torch
    from torch.nn.functional import interpolate

    if len(images) != len(ids):
        raise DataError(
            f"`images` has {len(images)} and `ids` {len(ids)} entries; expected as many. Pass a frame for each image."
        )
    video = torch.zeros(3, num_frames, height, width)
    for frame, place in image_at_frame(ids).items():
        image = images[place]
        if image.ndim != 3 or image.shape[0] != 3:
            raise DataError(
                f"`images` has one of shape {tuple(image.shape)}; expected (3, H, W) RGB. Convert image {place}."
            )
        pixels = image.float()[None] * 2 - 1
        video[:, frame] = interpolate(
            pixels, size=(height, width), mode="bicubic", align_corners=False, antialias=False
        )[0]
    return video


def normalised(
    latents: "torch.Tensor", latents_mean: Sequence[float] = LATENTS_MEAN, latents_std: Sequence[float] = LATENTS_STD
) -> "torch.Tensor":
    """Return latents as the networks see them, (x - mean) / std of each channel.

    Args:
        latents: (..., z, T, h, w).
        latents_mean: Of each channel.
        latents_std: The same.
    """
    mean = latents.new_tensor(latents_mean).view(-1, 1, 1, 1)
    std = latents.new_tensor(latents_std).view(-1, 1, 1, 1)
    return (latents - mean) / std


def condition_tensor(
    video: "torch.Tensor",
    mask: "torch.Tensor",
    encode: Encode,
    *,
    latents_mean: Sequence[float] = LATENTS_MEAN,
    latents_std: Sequence[float] = LATENTS_STD,
) -> "torch.Tensor":
    """Return the condition of a clip: its mask's channels, then its normalised latents.

    Args:
        video: (3, F, H, W) in -1 to 1, 0 where nothing is known.
        mask: (4, T, h, w), as ``pack_mask`` returns it.
        encode: The VAE.
        latents_mean: Of each channel.
        latents_std: The same.

    Returns:
        (4 + z, T, h, w) in the latents' type.

    Raises:
        DataError: The latents are not of the mask's size, or have another number of channels than the constants.
    """
    import torch

    latents = encode(video)
    if latents.shape[1:] != mask.shape[1:] or not len(latents) == len(latents_mean) == len(latents_std):
        raise DataError(
            f"`encode` returned latents of shape {tuple(latents.shape)}; expected {len(latents_mean)} channels of "
            f"{tuple(mask.shape[1:])}, the mask's. Pass the VAE that the network was trained with."
        )
    return torch.cat([mask.to(latents), normalised(latents, latents_mean, latents_std)])


def keyframe_condition(
    images: "Sequence[torch.Tensor]",
    ids: Sequence[int],
    num_frames: int,
    size: LatentSize,
    encode: Encode,
    *,
    latents_mean: Sequence[float] = LATENTS_MEAN,
    latents_std: Sequence[float] = LATENTS_STD,
) -> "torch.Tensor":
    """Return the condition of V2, V3 and V3.2: images at frames.

    Args:
        images: Each (3, H, W) in 0 to 1.
        ids: The frame of each; of V2 the first alone.
        num_frames: Of the clip.
        size: Of the clip.
        encode: The VAE.
        latents_mean: Of each channel.
        latents_std: The same.

    Returns:
        (4 + z, T, h, w).

    Raises:
        DataError: The shapes do not fit together.
    """
    video = keyframe_video(images, ids, num_frames, size.pixel_height, size.pixel_width)
    mask = pack_mask(keyframe_mask(ids, num_frames, size.height, size.width))
    return condition_tensor(video, mask, encode, latents_mean=latents_mean, latents_std=latents_std)


def mask_video_condition(
    video: "torch.Tensor",
    mask_video: "torch.Tensor",
    kind: MaskKind,
    size: LatentSize,
    encode: Encode,
    *,
    latents_mean: Sequence[float] = LATENTS_MEAN,
    latents_std: Sequence[float] = LATENTS_STD,
) -> "torch.Tensor":
    """Return the condition of the any-mask release: a video of which an area is known.

    Args:
        video: (F, 3, H, W) in -1 to 1.
        mask_video: (F, channels, H, W) in -1 to 1; known above 0.
        kind: ``temporal`` or ``spatial``.
        size: Of the clip.
        encode: The VAE.
        latents_mean: Of each channel.
        latents_std: The same.

    Returns:
        (4 + z, T, h, w).

    Raises:
        ConfigError: There is no such kind.
        DataError: The shapes do not fit together.
    """
    shown, known = masked_video(video, known_area(mask_video, kind), size.pixel_height, size.pixel_width)
    mask = pack_mask(latent_mask(known, size.height, size.width, kind))
    return condition_tensor(shown, mask, encode, latents_mean=latents_mean, latents_std=latents_std)
