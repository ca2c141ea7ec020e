"""How far apart clips are, and how far a clip goes from its first frame: on small pictures, which see no noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames

__all__ = ["Place", "Surroundings", "first_frame_distance", "moments", "small_pictures", "surroundings"]

_SIZE: Final = (32, 24)  # width, height
_MOMENTS: Final = 4
"""Pictures that stand for a clip; the first frame, which image to video is given, is not among them."""

Pictures = NDArray[np.float32]


def small_pictures(frames: Frames) -> Pictures:
    """Shrink frames by area to 32x24 pixels, whatever their shape.

    Args:
        frames: (T, H, W, 3) uint8.

    Returns:
        (T, 24, 32, 3), 0..255.
    """
    import cv2

    small = [cv2.resize(frame.astype(np.float32), _SIZE, interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack(small).astype(np.float32, copy=False)


def first_frame_distance(pictures: Pictures) -> float | None:
    """Return the mean absolute difference of all later frames from the first one.

    Args:
        pictures: (T, 24, 32, 3) of ``small_pictures``.

    Returns:
        0..255 levels; None for a single frame.
    """
    return float(np.abs(pictures[1:] - pictures[0]).mean()) if len(pictures) > 1 else None


def moments(pictures: Pictures) -> Pictures:
    """Return (4, 24, 32, 3): pictures at a quarter, half, three quarters and the end of a clip."""
    places = np.linspace(0, len(pictures) - 1, _MOMENTS + 1).round().astype(np.int64)
    return pictures[places[1:]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a clip stands among others."""

    item: str
    seed: int
    image: str | None
    """Digest of the conditioning image."""
    moments: Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How far a clip is from others of one model, in levels of 0..255; None where there are none."""

    within: float | None
    """Mean distance to the clips of its own item with other seeds."""
    between: float | None
    """Mean distance to the clips of other items: of those with its image, if there are some, else of all."""

    @property
    def specificity(self) -> float | None:
        """``1 - within / between``: 1 where the item alone decides what is shown, 0 where it does not matter."""
        if self.within is None or self.between is None:
            return None
        return 1 - self.within / self.between if self.between > 0 else 0.0


def surroundings(places: Sequence[Place]) -> list[Surroundings]:
    """Return how far each clip is from the others: the swap test between prompts.

    The distance of two clips is the mean absolute difference of their small pictures at four moments. If prompts decide
    what is shown, clips of other prompts are farther away than clips of the same prompt with other seeds.
    """
    stacked = np.stack([place.moments for place in places]).reshape(len(places), -1)
    items = np.array([place.item for place in places])
    rivals = _rivals(places)
    found = []
    for place, own in zip(places, stacked, strict=True):
        distance = np.abs(stacked - own).mean(axis=1)
        same = items == place.item
        others = np.isin(items, list(rivals[place.item]))
        found.append(
            Surroundings(
                within=float(distance[same].sum() / (same.sum() - 1)) if same.sum() > 1 else None,
                between=float(distance[others].mean()) if others.any() else None,
            )
        )
    return found


def _rivals(places: Sequence[Place]) -> Mapping[str, frozenset[str]]:
    """Return {item: the items that it is compared with}."""
    images = {place.item: place.image for place in places}
    ordered = sorted(images, key=lambda item: images[item] or "")
    groups = [frozenset(group) for image, group in groupby(ordered, key=lambda item: images[item]) if image]
    shared = {item: group for group in groups if len(group) > 1 for item in group}
    everything = frozenset(images)
    return {item: shared.get(item, everything) - {item} for item in images}
