"""The four mask channels that tell Wan's image-to-video networks which frames, or which areas, are given.

A mask of the clip's frames (F, h, w) is 1 where the clip is known. The first frame counts four times, and every four
frames become the four channels of one latent frame: frame 0 fills all channels of latent frame 0, frame i > 0 is
channel (i+3) % 4 of latent frame (i+3) // 4.

Reference: anisoraV3/wan/image2video_any.py (WanI2V_any.generate); anisora_anymask/wan/image2video_any_mask1.py
(temporal masks) and image2video_any_mask1_spa.py (spatial masks).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.frame_ids import FRAME_STEP
from anisora.models.wan.latent_size import VAE_STRIDE

if TYPE_CHECKING:
    import torch

__all__ = ["MaskKind", "keyframe_mask", "known_area", "latent_mask", "masked_video", "pack_mask"]

MaskKind = Literal["temporal", "spatial"]
"""``temporal``: every eighth frame is given whole. ``spatial``: the first one is."""
_FRAME_EVERY: Final[dict[str, slice]] = {"temporal": slice(None, None, FRAME_STEP), "spatial": slice(0, 1)}


def keyframe_mask(ids: Sequence[int], num_frames: int, height: int, width: int) -> "torch.Tensor":
    """Return the mask of frames that are given whole.

    Args:
        ids: Frames that are given, as ``frame_ids`` returns them.
        num_frames: Of the clip.
        height: Of the latents.
        width: The same.

    Returns:
        (F, height, width) float32 of 0 and 1.

    Raises:
        DataError: A frame is not of the clip.
    """
    import torch

    mask = torch.zeros(num_frames, height, width)
    for frame in ids:
        if not 0 <= frame < num_frames:
            raise DataError(
                f"`ids` has frame {frame}; expected 0 to {num_frames - 1}, the frames of the clip. "
                "Take them from frame_ids()."
            )
        mask[frame] = 1
    return mask


def pack_mask(mask: "torch.Tensor", temporal_stride: int = VAE_STRIDE[0]) -> "torch.Tensor":
    """Turn a mask of frames into channels of latent frames.

    Args:
        mask: (F, h, w), of the latents' size; F is 4k+1.
        temporal_stride: Frames to one latent frame; also the number of channels.

    Returns:
        (4, (F+3) // 4, h, w).

    Raises:
        DataError: The shape is another.
    """
    import torch

    if mask.ndim != 3 or mask.shape[0] % temporal_stride != 1 % temporal_stride:
        raise DataError(
            f"`mask` has shape {tuple(mask.shape)}; expected (F, h, w) with F a multiple of {temporal_stride} plus 1. "
            "Cut the clip to such a number of frames."
        )
    frames = torch.cat([mask[:1].expand(temporal_stride, -1, -1), mask[1:]])
    return frames.reshape(-1, temporal_stride, *mask.shape[1:]).transpose(0, 1)


def known_area(mask_video: "torch.Tensor", kind: MaskKind) -> "torch.Tensor":
    """Read a mask video: white is known, black is generated, and some frames are known whole.

    Args:
        mask_video: (F, channels, H, W) in -1 to 1; only the first channel counts, and all above 0 is white.
        kind: Which frames are known whole.

    Returns:
        (F, H, W) float32 of 0 and 1.

    Raises:
        ConfigError: There is no such kind.
        DataError: The shape is another.
    """
    _check_kind(kind)
    if mask_video.ndim != 4 or 0 in mask_video.shape:
        raise DataError(
            f"`mask_video` has shape {tuple(mask_video.shape)}; expected (F, channels, H, W). Decode the mask as RGB."
        )
    known = (mask_video[:, 0] > 0).float()
    known[_FRAME_EVERY[kind]] = 1
    return known


def masked_video(
    video: "torch.Tensor", known: "torch.Tensor", height: int, width: int
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Bring a video and its known area to the size of a clip and blank what is not known.

    Both are resized by taking the nearest pixel; what is not known becomes 0, mid-grey.

    Args:
        video: (F, 3, H, W) in -1 to 1.
        known: (F, H, W) of 0 and 1.
        height: Of the clip, pixels.
        width: The same.

    Returns:
        The masked video (3, F, height, width), as the VAE takes it, and the known area (F, height, width).

    Raises:
        DataError: The shapes do not fit together.
    """
    from torch.nn.functional import interpolate

    if video.ndim != 4 or video.shape[1] != 3 or known.ndim != 3 or len(known) != len(video):
        raise DataError(
            f"`video` has shape {tuple(video.shape)} and `known` {tuple(known.shape)}; expected (F, 3, H, W) and "
            "(F, H, W) of as many frames. Cut both to one length."
        )
    size = (height, width)
    frames = interpolate(video, size=size, mode="nearest")
    area = interpolate(known[:, None], size=size, mode="nearest")
    return (frames * area).transpose(0, 1), area[:, 0]


def latent_mask(known: "torch.Tensor", height: int, width: int, kind: MaskKind) -> "torch.Tensor":
    """Bring a known area to the size of the latents.

    Args:
        known: (F, H, W) of 0 and 1, of the clip's size.
        height: Of the latents.
        width: The same.
        kind: ``temporal`` masks are reduced with bicubic weights and no antialiasing, so that values leave 0 to 1 at
            edges; ``spatial`` ones by taking the nearest pixel.

    Returns:
        (F, height, width) float32.

    Raises:
        ConfigError: There is no such kind.
    """
    from torch.nn.functional import interpolate

    _check_kind(kind)
    if kind == "spatial":
        return interpolate(known[:, None], size=(height, width), mode="nearest")[:, 0]
    reduced = interpolate(known[:, None], size=(height, width), mode="bicubic", align_corners=False, antialias=False)
    return reduced[:, 0]


def _check_kind(kind: str) -> None:
    if kind not in get_args(MaskKind):
        raise ConfigError(f"`kind` got {kind!r}; expected one of {', '.join(get_args(MaskKind))}. Choose one.")
