"""Flat colours, one shadow tone and outlines: the strokes that a cel is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames

__all__ = [
    "INK",
    "Canvas",
    "Colour",
    "Part",
    "Points",
    "along",
    "ellipse",
    "ink_of",
    "light_of",
    "lock",
    "shade_of",
    "smooth",
    "tapered",
]

Colour = tuple[int, int, int]
Points = NDArray[np.float64]
"""(n, 2) positions as x, y in pixels of the canvas."""

INK: Final[Colour] = (46, 34, 48)
_FRACTION_BITS: Final = 4  # cv2 takes fixed-point positions: a sixteenth of a pixel
_LIGHT: Final = np.array((-0.8, -0.6))  # towards the light, upper left


class Part(IntFlag):
    """What a stroke belongs to; a sleeve is ``LEFT_ARM | CLOTHES``."""

    BACKDROP = 0
    HEAD = 1
    TORSO = 2
    LEFT_ARM = 4
    RIGHT_ARM = 8
    LEGS = 16
    EFFECT = 32
    CLOTHES = 64


def shade_of(colour: Colour) -> Colour:
    """Return the shadow tone of a flat colour: darker and a little bluer, as cels are painted."""
    red, green, blue = colour
    return (int(red * 0.76), int(green * 0.71), int(blue * 0.82))


def light_of(colour: Colour) -> Colour:
    """Return the tone of a flat colour where light falls on it."""
    red, green, blue = (int(tone + (255 - tone) * 0.45) for tone in colour)
    return (red, green, blue)


def ink_of(colour: Colour) -> Colour:
    """Return the colour of the line around a flat colour: nearly black, with some of it."""
    red, green, blue = (int(0.74 * ink + 0.26 * 0.8 * tone) for ink, tone in zip(INK, colour, strict=True))
    return (red, green, blue)


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


def lock(left: tuple[float, float], right: tuple[float, float], tip: tuple[float, float], bend: float = 0.0) -> Points:
    """Return a lock of hair: two curves from its root that meet in a point.

    Args:
        left: One end of the root.
        right: The other end.
        tip: Where it ends.
        bend: How far its middle is bent to the right, in units of the corners.
    """
    t = np.linspace(0.0, 1.0, 9)[:, None]
    ends, end = np.array((left, right)), np.array(tip)
    # Both edges first run along the lock, so that it keeps its width for half of its length.
    along_lock = 0.6 * (end - ends.mean(axis=0)) + (bend, 0.0)
    edges = [(1 - t) ** 2 * root + 2 * t * (1 - t) * (root + along_lock) + t**2 * end for root in ends]
    shape: Points = np.concatenate([edges[0], edges[1][::-1]])
    return shape


def tapered(spine: Sequence[tuple[float, float]], widths: Sequence[float]) -> Points:
    """Return a strand that follows a smooth spine; ``widths`` are half widths at its corners."""
    steps = 6
    middle = smooth(spine, steps, closed=False)
    half = np.interp(np.linspace(0.0, len(widths) - 1.0, len(middle)), np.arange(len(widths)), widths)
    direction = np.gradient(middle, axis=0)
    direction /= np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-9)[:, None]
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1) * half[:, None]
    outline: Points = np.concatenate([middle + normal, (middle - normal)[::-1]])
    return outline


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
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Gains of red, green and blue for what is drawn: the light of the place."""
    parts: NDArray[np.uint8] | None = None
    """(H, W), where given: the part that each pixel shows."""
    part: Part = Part.BACKDROP
    """What the next strokes belong to."""

    def lit(self, colour: Colour) -> Colour:
        """Return a colour as it is seen in the light of the place."""
        red, green, blue = (min(255, round(tone * gain)) for tone, gain in zip(colour, self.light, strict=True))
        return (red, green, blue)

    def fill(self, shape: Points, colour: Colour) -> None:
        """Fill a polygon with one colour."""
        import cv2

        corners = [_fixed(shape)]
        cv2.fillPoly(self.pixels, corners, self.lit(colour), cv2.LINE_8, _FRACTION_BITS)
        if self.parts is not None:
            cv2.fillPoly(self.parts, corners, int(self.part), cv2.LINE_8, _FRACTION_BITS)

    def line(self, points: Points, colour: Colour = INK, width: float = 1.0, *, closed: bool = False) -> None:
        """Draw a line, ``width`` times as wide as an outline."""
        import cv2

        thickness, corners = max(1, round(self.ink_width * width)), [_fixed(points)]
        cv2.polylines(self.pixels, corners, closed, self.lit(colour), thickness, cv2.LINE_8, _FRACTION_BITS)
        if self.parts is not None:
            cv2.polylines(self.parts, corners, closed, int(self.part), thickness, cv2.LINE_8, _FRACTION_BITS)

    def cel(self, shapes: Sequence[Points], colour: Colour, *, shadow: float = 0.0, ink: float = 1.0) -> None:
        """Paint the union of shapes: outline, flat colour, and a shadow on the side away from the light.

        Args:
            shapes: Polygons that overlap.
            colour: The flat colour; those of shadow and line follow from it.
            shadow: Width of the shadow in pixels of the canvas; 0 for none.
            ink: Width of the outline in outlines; 0 for none.
        """
        if ink > 0:
            tone = ink_of(colour)
            for shape in shapes:
                self.line(shape, tone, 2 * ink, closed=True)
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
        self.pixels[top:bottom, left:right][mask > 0] = self.lit(colour)

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
