"""Cuts a character out of the frames in which its mask is seen: square crops on black, for the identity embedder.

Reference: reward/character/BLIP/data/pretrain_IP_dataset.py (load_rgb_frames, masked_image). The reference stores the
crops as JPEG between the two steps; here nothing is stored.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, Recipe
from anisora.harness.types import Frames

if TYPE_CHECKING:
    import torch

__all__ = [
    "CROPS_PER_OBJECT",
    "RECIPES",
    "CharacterCrops",
    "character_crops",
    "chosen_frames",
    "embedder_input",
    "square_crop",
]

CROPS_PER_OBJECT: Final = 8

Role = Literal["query", "gallery"]

RECIPES: Final[dict[Role, Recipe]] = {
    "query": Recipe(resize="exact", side=224, filter="bilinear", mean=CLIP_MEAN, std=CLIP_STD),
    "gallery": Recipe(resize="exact", side=224, filter="bicubic", mean=CLIP_MEAN, std=CLIP_STD),
}
"""How crops of a clip and pictures of the gallery reach the embedder; the reference has a filter for each."""


@dataclass(frozen=True, slots=True)
class CharacterCrops:
    """One character, cut out of a few frames of a clip."""

    frames: tuple[int, ...]
    """Indices of the frames."""
    images: tuple[Frames, ...]
    """Each (s, s, 3) RGB, black where the character is not; s differs from crop to crop."""
    masks: tuple[NDArray[np.uint8], ...]
    """Each (s, s), 1 where the character is, else 0."""


def chosen_frames(visible: NDArray[np.bool_], count: int = CROPS_PER_OBJECT) -> list[int] | None:
    """Return the frames to cut a character from, spread over those in which it is seen.

    Every (seen // count)-th of them, the first ``count``; the last ones may be left out.

    Args:
        visible: (T,), whether the character is seen.
        count: How many frames.

    Returns:
        ``count`` indices, or None where it is seen in fewer frames.

    Raises:
        MetricError: The shape is another, or the count is below 1.
    """
    if visible.ndim != 1:
        raise MetricError(f"`visible` has shape {visible.shape}; expected (T,), one for each frame.")
    if count < 1:
        raise MetricError(f"`count` is {count}; expected 1 or more.")
    seen = np.flatnonzero(visible).tolist()
    return seen[:: len(seen) // count][:count] if len(seen) >= count else None


def square_crop(image: Frames, mask: NDArray[Any]) -> tuple[Frames, NDArray[np.uint8]]:
    """Cut the tight box around a mask, centred on a black square, and blacken all that is not the mask.

    An odd pixel of padding goes to the right or below.

    Args:
        image: (H, W, 3) RGB.
        mask: (H, W), true or not 0 where the character is.

    Returns:
        The picture (s, s, 3), and its mask (s, s) of 0 and 1, both uint8; s is the box's longer side in pixels.

    Raises:
        MetricError: The shapes do not fit together, or the mask is empty.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or mask.shape != image.shape[:2]:
        raise MetricError(
            f"`image` is {image.dtype} of shape {image.shape} and `mask` has shape {mask.shape}; expected uint8 "
            "(H, W, 3) and (H, W). Resize the mask to its frame."
        )
    inside = mask != 0
    if not inside.any():
        raise MetricError("`mask` is empty; expected at least one pixel. Choose frames with `chosen_frames`.")
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    kept = inside[box]
    height, width = kept.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    place = slice(top, top + height), slice(left, left + width)
    square = np.zeros((side, side), np.uint8)
    square[place] = kept
    picture = np.zeros((side, side, 3), np.uint8)
    picture[place] = image[box] * kept[..., None]
    return picture, square


def character_crops(
    frames: Frames, labels: NDArray[np.integer], object_id: int, *, count: int = CROPS_PER_OBJECT
) -> CharacterCrops | None:
    """Cut one character out of a clip.

    Args:
        frames: (T, H, W, 3) RGB.
        labels: (T, H, W), the id of the character at each pixel; 0 is the background.
        object_id: Which character, 1 or more.
        count: How many crops.

    Returns:
        The crops, or None where it is seen in fewer than ``count`` frames; the caller tells so.

    Raises:
        MetricError: The shapes do not fit together, or the id is below 1.
    """
    if frames.ndim != 4 or labels.shape != frames.shape[:3]:
        raise MetricError(
            f"`frames` has shape {frames.shape} and `labels` {labels.shape}; expected (T, H, W, 3) and (T, H, W). "
            "Segment the frames that are passed."
        )
    if object_id < 1:
        raise MetricError(f"`object_id` is {object_id}; expected 1 or more, 0 is the background.")
    chosen = chosen_frames((labels == object_id).any(axis=(1, 2)), count)
    if chosen is None:
        return None
    crops = [square_crop(frames[index], labels[index] == object_id) for index in chosen]
    return CharacterCrops(tuple(chosen), tuple(image for image, _ in crops), tuple(mask for _, mask in crops))


def embedder_input(image: Frames, role: Role = "query") -> "torch.Tensor":
    """Turn one crop into the embedder's input.

    Args:
        image: (s, s, 3) RGB.
        role: ``query`` for crops of a clip, ``gallery`` for pictures of the gallery.

    Returns:
        (1, 3, 224, 224) float32, normalised as CLIP's pictures are.

    Raises:
        MetricError: The shape is another.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise MetricError(f"`image` is {image.dtype} of shape {image.shape}; expected uint8 (s, s, 3), not empty.")
    return RECIPES[role].picture(image)
