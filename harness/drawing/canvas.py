"""Flat colours, one shadow tone and outlines: the strokes that a cel is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames

__all__ = ["INK", "Canvas", "Colour", "Points", "along", "ellipse", "shade_of", "smooth"]

Colour = tuple[int, int, int]
Points = NDArray[np.float64]
"""(n, 2) positions as x, y in pixels of the canvas."""

INK: Final[Colour] = (46, 34, 48)
_FRACTION_BITS: Final = 4  # cv2 takes fixed-point positions: a sixteenth of a pixel
_LIGHT: Final = np.array((-0.8, -0.6))  # towards the light, upper left


def shade_of(colour: Colour) -> Colour:
    """Return the shadow tone of a flat colour: darker and a little bluer, as cels are painted."""
    red, green, blue = colour
    return (int(red * 0.74), int(green * 0.72), int(blue * 0.84))


def smooth(corners: Sequence[tuple[float, float]] | Points, steps: int = 6, *, closed: bool = True) -> Points:
    """Return a Catmull-Rom curve through the corners, ``steps`` points for each stretch."""
    points = np.asarray(corners, dtype=np.float64)
    if closed:
        before, after, ahead = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
        before, points, after, ahead = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    before, points, after, ahead = (array[:, None, :] for array in (before, points, after, ahead))
    curve = 0.5 * (
        2 * points
        + (after - before) * t
        + (2 * before - 5 * points + 4 * after - ahead) * t**2
        + (3 * points - before - 3 * after + ahead) * t**3
    )
    flat: Points = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, after[-1]])


def ellipse(x: float, y: float, width: float, height: float, steps: int = 24) -> Points:
    """Return an ellipse with half axes ``width`` and ``height``."""
    return _circle(steps) * (width, height) + (x, y)


@cache
def _circle(steps: int) -> Points:
    angle = np.linspace(0.0, 2 * np.pi, steps, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    circle.flags.writeable = False  # shared by all who ask
    return circle


def along(joints: Sequence[NDArray[np.float64]], radii: Sequence[float]) -> list[Points]:
    """Return a limb as shapes that overlap: a disc at each joint and a tapered piece between two."""
    shapes = [ellipse(joint[0], joint[1], radius, radius, 16) for joint, radius in zip(joints, radii, strict=True)]
    for index in range(len(joints) - 1):
        start, end = joints[index], joints[index + 1]
        direction = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
        normal = np.array((-direction[1], direction[0]))
        first, second = radii[index] * normal, radii[index + 1] * normal
        shapes.append(np.stack([start + first, end + second, end - second, start - first]))
    return shapes


@dataclass(slots=True)
class Canvas:
    """Pixels to draw on, larger than the frame they become: averaging them down gives the soft edges."""

    pixels: Frames
    """(H, W, 3), drawn on in place."""
    ink_width: float = 3.0
    """Width of outlines in pixels of the canvas."""

    def fill(self, shape: Points, colour: Colour) -> None:
        """Fill a polygon with one colour."""
        import cv2

        cv2.fillPoly(self.pixels, [_fixed(shape)], colour, cv2.LINE_8, _FRACTION_BITS)

    def line(self, points: Points, colour: Colour = INK, width: float = 1.0, *, closed: bool = False) -> None:
        """Draw a line, ``width`` times as wide as an outline."""
        import cv2

        thickness = max(1, round(self.ink_width * width))
        cv2.polylines(self.pixels, [_fixed(points)], closed, colour, thickness, cv2.LINE_8, _FRACTION_BITS)

    def cel(self, shapes: Sequence[Points], colour: Colour, *, shadow: float = 0.0, ink: float = 1.0) -> None:
        """Paint the union of shapes: outline, flat colour, and a shadow on the side away from the light.

        Args:
            shapes: Polygons that overlap.
            colour: The flat colour; the shadow's follows from it.
            shadow: Width of the shadow in pixels of the canvas; 0 for none.
            ink: Width of the outline in outlines; 0 for none.
        """
        if ink > 0:
            for shape in shapes:
                self.line(shape, INK, 2 * ink, closed=True)
        for shape in shapes:
            self.fill(shape, colour)
        if shadow > 0:
            self._shadow(shapes, shade_of(colour), shadow)

    def _shadow(self, shapes: Sequence[Points], colour: Colour, width: float) -> None:
        import cv2

        every = np.concatenate(shapes)
        height_limit, width_limit = self.pixels.shape[:2]
        left, top = np.clip(np.floor(every.min(axis=0)), 0, (width_limit, height_limit)).astype(int)
        right, bottom = np.clip(np.ceil(every.max(axis=0)) + 1, 0, (width_limit, height_limit)).astype(int)
        if right <= left or bottom <= top:
            return
        # What the shape does not cover when it is moved towards the light lies in shadow.
        mask = np.zeros((bottom - top, right - left), np.uint8)
        corner = np.array((left, top), dtype=np.float64)
        for offset, value in ((np.zeros(2), 255), (_LIGHT * width, 0)):
            for shape in shapes:
                cv2.fillPoly(mask, [_fixed(shape - corner + offset)], value, cv2.LINE_8, _FRACTION_BITS)
        self.pixels[top:bottom, left:right][mask > 0] = colour

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Add light that falls off from a point; ``strength`` in [0, 1]."""
        height_limit, width_limit = self.pixels.shape[:2]
        left, right = (int(np.clip(value, 0, width_limit)) for value in (x - radius, x + radius + 1))
        top, bottom = (int(np.clip(value, 0, height_limit)) for value in (y - radius, y + radius + 1))
        if right <= left or bottom <= top:
            return
        columns, rows = np.arange(left, right) - x, np.arange(top, bottom) - y
        distance = np.sqrt(columns[None, :] ** 2 + rows[:, None] ** 2) / radius
        amount = (strength * np.clip(1 - distance, 0, 1) ** 2)[..., None]
        window = self.pixels[top:bottom, left:right]
        window[...] = np.rint(window + (np.array(colour) - window) * amount).astype(np.uint8)


def _fixed(points: Points) -> NDArray[np.int32]:
    return np.rint(points * (1 << _FRACTION_BITS)).astype(np.int32)
