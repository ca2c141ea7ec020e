"""The characters of a clip, cut out of it: boxes in the first frame, a tracker, eight crops of each.

Boxes come from any ``CharacterDetector`` or from the user, masks from any ``CharacterTracker``. Nothing is written to a
file, and nothing is kept from one clip to the next: the reference keeps frames, boxes and crops by the clip's file
name, and scores a second model's clip of that name by the first one's crops.

Modes differ in two things:

- ``reference``: a character is cut from every (n // 8)-th of the n frames it is seen in, the first eight, so that up to
  the last n / 2 are left out; frames and crops go through JPEG of quality 95, as OpenCV writes it.
- ``corrected``: the eight frames are spread from the first to the last in which it is seen; no JPEG.

Reference: reward/character/BLIP/data/pretrain_IP_dataset.py, reward/character/samurai/scripts/demo.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anisora.harness.errors import MetricError
from anisora.harness.types import Frames
from anisora.reward.character.detection_image import detection_image
from anisora.reward.character.mask_crop import CROPS_PER_OBJECT, CharacterCrops, character_crops, chosen_frames
from anisora.reward.mode import Mode, read_mode

__all__ = [
    "JPEG_QUALITY",
    "CharacterDetector",
    "CharacterTracker",
    "TrackedCharacters",
    "boxes_of",
    "seen_too_rarely",
    "spread_frames",
    "through_jpeg",
    "tracked_characters",
]

JPEG_QUALITY: Final = 95
"""What OpenCV writes where nobody says another."""


class CharacterDetector(Protocol):
    """Finds characters in a picture."""

    def boxes(self, image: Frames) -> NDArray[np.float64]:
        """Return (n, 4) left, top, right, bottom in pixels of an (H, W, 3) RGB picture; n may be 0."""
        ...


class CharacterTracker(Protocol):
    """Follows characters through a clip."""

    def label_map(self, frames: Frames, boxes: ArrayLike) -> NDArray[np.uint16]:
        """Return (T, H, W): the number of the box, from 1, whose character a pixel shows, 0 for none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedCharacters:
    """What came of the boxes of one clip."""

    characters: tuple[CharacterCrops, ...]
    """Those that are seen in enough frames; may be empty."""
    numbers: tuple[int, ...]
    """For each of them the number of its box, from 1."""
    seen: tuple[int, ...]
    """For each box the number of frames in which its character is seen."""
    dropped: tuple[str, ...]
    """Why the other boxes gave none, one sentence each."""
    reason: str | None
    """Why there is no character at all; None where there is one."""


def boxes_of(image: Frames, frames: Frames, detector: CharacterDetector) -> NDArray[np.float64]:
    """Find the characters in a clip's conditioning image.

    Args:
        image: (h, w, 3) RGB, of any size.
        frames: (T, H, W, 3); only the size is looked at.
        detector: Sees the image cut to the size of the frames.

    Returns:
        (n, 4) left, top, right, bottom in pixels of the frames; n may be 0.

    Raises:
        MetricError: A shape is another.
    """
    if frames.ndim != 4:
        raise MetricError(f"`frames` has shape {frames.shape}; expected (T, H, W, 3).")
    return np.asarray(detector.boxes(detection_image(image, *frames.shape[1:3])), np.float64).reshape(-1, 4)


def tracked_characters(
    frames: Frames,
    boxes: ArrayLike,
    tracker: CharacterTracker,
    *,
    mode: Mode = "reference",
    count: int = CROPS_PER_OBJECT,
) -> TrackedCharacters:
    """Follow boxes through a clip and cut each character out.

    Args:
        frames: (T, H, W, 3) RGB.
        boxes: (n, 4) left, top, right, bottom in pixels of frame 0; none is no error.
        tracker: Turns them into masks.
        mode: See above.
        count: How many crops of each.

    Raises:
        ConfigError: There is no such mode.
        MetricError: A shape is another, or the tracker's map does not fit the frames.
    """
    read_mode(mode)
    places = np.asarray(boxes, np.float64).reshape(-1, 4) if np.size(boxes) == 0 else np.asarray(boxes, np.float64)
    if places.ndim != 2 or places.shape[1] != 4:
        raise MetricError(f"`boxes` has shape {places.shape}; expected (n, 4).")
    if len(places) == 0:
        return TrackedCharacters(
            characters=(), numbers=(), seen=(), dropped=(), reason="no character was found in the conditioning image"
        )
    labels = tracker.label_map(frames, places)
    if labels.shape != frames.shape[:3]:
        raise MetricError(
            f"The tracker gave labels of shape {labels.shape}; expected {frames.shape[:3]}, one for each pixel."
        )
    jpegs: dict[int, Frames] = {}
    kept: list[tuple[int, CharacterCrops]] = []
    dropped: list[str] = []
    counts: list[int] = []
    for number in range(1, len(places) + 1):
        visible = (labels == number).any(axis=(1, 2))
        counts.append(int(visible.sum()))
        chosen = (chosen_frames if mode == "reference" else spread_frames)(visible, count)
        if chosen is None:
            dropped.append(seen_too_rarely(number, counts[-1], len(frames), count))
            continue
        if mode == "reference":
            jpegs |= {index: through_jpeg(frames[index]) for index in chosen if index not in jpegs}
            pictures: Sequence[Frames] = [jpegs[index] for index in chosen]
        else:
            pictures = [frames[index] for index in chosen]
        kept.append((number, _cut(pictures, labels[chosen], number, chosen, is_jpeg=mode == "reference")))
    return TrackedCharacters(
        characters=tuple(crops for _, crops in kept),
        numbers=tuple(number for number, _ in kept),
        seen=tuple(counts),
        dropped=tuple(dropped),
        reason=None if kept else "; ".join(dropped),
    )


def seen_too_rarely(number: int, seen: int, total: int, count: int = CROPS_PER_OBJECT) -> str:
    """Say why a character is left out."""
    return f"character {number} is seen in {seen} of {total} frames, fewer than {count}"


def spread_frames(visible: NDArray[np.bool_], count: int = CROPS_PER_OBJECT) -> list[int] | None:
    """Return the frames to cut a character from, evenly from the first to the last in which it is seen.

    Args:
        visible: (T,), whether the character is seen.
        count: How many frames.

    Returns:
        ``count`` different indices, or None where it is seen in fewer frames.

    Raises:
        MetricError: The shape is another, or the count is below 1.
    """
    if visible.ndim != 1 or count < 1:
        raise MetricError(f"`visible` has shape {visible.shape} and `count` is {count}; expected (T,) and 1 or more.")
    seen = np.flatnonzero(visible)
    if len(seen) < count:
        return None
    return [int(index) for index in seen[np.rint(np.linspace(0, len(seen) - 1, count)).astype(np.intp)]]


def through_jpeg(image: Frames, quality: int = JPEG_QUALITY) -> Frames:
    """Return what is left of a picture after it was stored as JPEG by OpenCV.

    Args:
        image: (H, W, 3) RGB.
        quality: 0 to 100.

    Raises:
        MetricError: OpenCV cannot encode it: it is empty, or no picture.
    """
    import cv2

    try:
        done, stored = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        done = False
    if not done:
        raise MetricError(f"A picture of shape {image.shape} cannot be stored as JPEG; expected uint8 (H, W, 3).")
    decoded = cv2.imdecode(stored, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1])


def _cut(
    pictures: Sequence[Frames], labels: NDArray[np.integer], number: int, chosen: list[int], *, is_jpeg: bool
) -> CharacterCrops:
    """Cut a character from each of the frames that were chosen, with their indices in the clip."""
    crops = character_crops(np.stack(pictures), labels, number, count=len(chosen))
    assert crops is not None  # it is seen in every one of them
    images = tuple(map(through_jpeg, crops.images)) if is_jpeg else crops.images
    return replace(crops, frames=tuple(chosen), images=images)
