"""Painted places in two layers, without outlines and a little out of focus, so that the figure stands out."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import Canvas
from anisora.harness.drawing.places import CLEAR, PLACES
from anisora.harness.types import Frames

__all__ = ["Backdrop", "paint"]

_DEFOCUS: Final = {"far": 0.007, "near": 0.0035}  # of the height


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Two layers, so that a camera move shows depth."""

    far: Frames
    """(H, W, 3)"""
    near: Frames
    """(H, W, 3)"""
    cover: NDArray[np.uint8]
    """(H, W, 1) how much of the near layer is seen, 0 to 255."""

    def seen(self, left: float, width: int) -> Frames:
        """Return the view with its left edge at ``left`` pixels; the far layer moves 0.4 of that."""
        near, far = round(left), round(0.4 * left)
        view = self.far[:, far : far + width].astype(np.uint16)
        cover = self.cover[:, near : near + width].astype(np.uint16)
        mixed = view * (255 - cover) + self.near[:, near : near + width] * cover
        seen: Frames = ((mixed + 127) // 255).astype(np.uint8)
        return seen


def paint(place: str, rng: np.random.Generator, *, width: int, height: int) -> Backdrop:
    """Paint a place.

    Args:
        place: A key of PLACES.
        rng: Where things stand.
        width: Pixels; may be wider than the picture, for a pan.
        height: Pixels.
    """
    far, near = (np.zeros((height, width, 3), np.uint8) for _ in range(2))
    near[:] = CLEAR
    PLACES[place].paint(Canvas(far), Canvas(near), rng)
    cover = np.where((near == CLEAR).all(axis=2), 0, 255).astype(np.uint8)
    wash = _wash(rng, width, height)
    # What is clear takes the colour behind it, lest the defocused edges show the colour that stands for clear.
    near = np.where(cover[..., None] > 0, near, far)
    return Backdrop(
        _soft(_washed(far, wash), _DEFOCUS["far"] * height),
        _soft(_washed(near, wash), _DEFOCUS["near"] * height),
        _soft(cover, _DEFOCUS["near"] * height)[..., None],
    )


def _wash(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Return (H, W, 1) gains around 1, blotched as wet paint is."""
    import cv2

    wash = np.zeros((height, width), np.float32)
    for cells, strength in ((5, 0.028), (22, 0.014)):
        coarse = rng.uniform(-strength, strength, (cells, max(2, cells * width // height))).astype(np.float32)
        wash += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return 1.0 + wash[..., None]


def _washed(pixels: Frames, wash: NDArray[np.float32]) -> Frames:
    washed: Frames = np.clip(pixels * wash, 0, 255).astype(np.uint8)
    return washed


def _soft(pixels: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(sigma, 0.3)), np.uint8)
