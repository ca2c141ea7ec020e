"""A head as cel animation draws it: a round face, big eyes, a small mouth."""

from dataclasses import dataclass
from math import cos, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import INK, Canvas, Colour, Points, ellipse, ink_of, light_of, shade_of, smooth
from anisora.harness.drawing.look import WHITE, Look
from anisora.harness.drawing.poses import Pose

__all__ = ["FACE", "Head"]

FACE: Final = (-0.36, -0.26, 0.36, 0.46)
"""The face from brow to chin and from cheek to cheek: left, top, right, bottom in heads around its middle."""

_TURN: Final = 0.75  # radians at yaw 1
_ROUND: Final = 0.46  # radius of the head on which the features lie, in heads
_EYE: Final = (0.2, 0.055)  # of the right eye
_EYE_SIZE: Final = (0.13, 0.16)  # half axes
_LIP: Final[Colour] = (150, 60, 66)


@dataclass(slots=True)
class Head:
    """A head on a canvas. All lengths are in heads, from chin to the top of the skull, around the face's middle."""

    canvas: Canvas
    look: Look
    pose: Pose
    middle: NDArray[np.float64]
    """Middle of the face in pixels."""
    size: float
    """Pixels of one head."""

    def place(self, points: Points) -> Points:
        """Heads around the middle of the face -> pixels, with the tilt of the head."""
        angle = self.pose.lean + self.pose.tilt
        turn = np.array(((cos(angle), sin(angle)), (-sin(angle), cos(angle))))
        placed: Points = self.middle + (points * self.size) @ turn
        return placed

    def on_face(self, points: Points) -> Points:
        """The same for what lies on the round front of the head and goes with its turn."""
        across = np.arcsin(np.clip(points[:, 0] / _ROUND, -0.98, 0.98)) + self.pose.yaw * _TURN
        turned = np.stack([_ROUND * np.sin(across), points[:, 1] + self.pose.nod], axis=1)
        return self.place(turned)

    @property
    def turned(self) -> float:
        """How far the middle of the face has moved to the right, in heads."""
        return _ROUND * sin(self.pose.yaw * _TURN)

    def draw(self, fringe: list[Points]) -> None:
        """Draw skin and features; ``fringe`` is the hair over the forehead, in heads, which casts a shadow."""
        self._skin(fringe)
        for side in (-1, 1):
            self._cheek(side)
            self._eye(side)
        self._nose()
        self._mouth()

    def brows(self) -> None:
        """Draw the brows; they are seen through the fringe."""
        tone = shade_of(shade_of(self.look.hair))
        raised = -0.165 - 0.03 * self.pose.cheer
        for side in (-1, 1):
            corners = ((0.085, raised + 0.012), (0.2, raised - 0.026), (0.315, raised + 0.022))
            brow = smooth([(side * x, y) for x, y in corners], closed=False)
            self.canvas.line(self.on_face(brow), tone, 0.9)

    def outline(self) -> Points:
        """Return the outline of the face, in heads, not nodded."""
        shift = self.turned
        near, far = max(0.0, -shift), max(0.0, shift)
        corners = (
            (0.39 - 0.14 * far, -0.14),
            (0.405 - 0.1 * far, 0.06),
            (0.36 + 0.12 * shift - 0.1 * far, 0.21),
            (0.25 + 0.3 * shift, 0.33),
            (0.105 + 0.42 * shift, 0.428),
            (0.45 * shift, 0.462),
            (-0.105 + 0.42 * shift, 0.428),
            (-0.25 + 0.3 * shift, 0.33),
            (-0.36 + 0.12 * shift + 0.1 * near, 0.21),
            (-0.405 + 0.1 * near, 0.06),
            (-0.39 + 0.14 * near, -0.14),
            (-0.33, -0.42),
            (0.0, -0.56),
            (0.33, -0.42),
        )
        return smooth([(x, y + (self.pose.nod if y > -0.1 else 0.5 * self.pose.nod)) for x, y in corners])

    def _skin(self, fringe: list[Points]) -> None:
        canvas, look = self.canvas, self.look
        for side in (-1, 1):
            if side * self.turned < 0.12:  # the ear on the far side is hidden
                ear = ellipse(side * 0.405 - 0.35 * self.turned, 0.06 + self.pose.nod, 0.06, 0.1, 14)
                canvas.cel([self.place(ear)], look.skin, shadow=0.03 * self.size)
        face = self.outline()
        canvas.cel([self.place(face)], look.skin, shadow=0.05 * self.size)
        shadow = [self.place(shape + np.array((0.012, 0.045))) for shape in fringe]
        self._inside(self.place(face), shadow, shade_of(look.skin))

    def _inside(self, outline: Points, shapes: list[Points], colour: Colour) -> None:
        """Fill the part of the shapes that lies inside an outline."""
        import cv2

        limits = self.canvas.pixels.shape[1::-1]
        left, top = np.clip(np.floor(outline.min(axis=0)), 0, limits).astype(int)
        right, bottom = np.clip(np.ceil(outline.max(axis=0)) + 1, 0, limits).astype(int)
        if right <= left or bottom <= top:
            return
        inside, covered = (np.zeros((bottom - top, right - left), np.uint8) for _ in range(2))
        corner = np.array((left, top), np.float64)
        cv2.fillPoly(inside, [np.rint(outline - corner).astype(np.int32)], 255)
        for shape in shapes:
            cv2.fillPoly(covered, [np.rint(shape - corner).astype(np.int32)], 255)
        self.canvas.pixels[top:bottom, left:right][(inside & covered) > 0] = self.canvas.lit(colour)

    def _cheek(self, side: int) -> None:
        tone: Colour = (252, 184, 170)
        self.canvas.fill(self.on_face(ellipse(side * 0.275, 0.225, 0.07, 0.034, 16)), tone)
        if self.pose.cheer > 0.5:
            for step in (-1, 0, 1):
                x = side * 0.275 + 0.028 * step
                stroke = np.array(((x + 0.012, 0.21), (x - 0.012, 0.24)))
                self.canvas.line(self.on_face(stroke), (232, 120, 116), 0.5)

    def _in_eye(self, side: int, corners: list[tuple[float, float]], opened: float, *, closed: bool = True) -> Points:
        """Half axes of the eye, outwards and down -> pixels."""
        (x, y), (width, height) = _EYE, _EYE_SIZE
        curve = smooth(corners, closed=closed)
        placed = np.stack(
            [side * (x + curve[:, 0] * width), y + (curve[:, 1] * opened + 0.25 * (1 - opened)) * height], axis=1
        )
        return self.on_face(placed)

    def _round(self, side: int, centre: tuple[float, float], half: tuple[float, float], opened: float) -> Points:
        """An ellipse in the eye; the centre does not mirror, so that light and gaze agree between the eyes."""
        (x, y), (width, height) = _EYE, _EYE_SIZE
        down = y + (centre[1] * opened + 0.25 * (1 - opened)) * height
        return self.on_face(ellipse(side * x + centre[0] * width, down, half[0] * width, half[1] * height * opened, 20))

    def _eye(self, side: int) -> None:
        canvas, opened = self.canvas, self.pose.eyes
        if opened < 0.3:
            self._shut_eye(side)
            return
        iris, dark = self.look.eyes, shade_of(shade_of(self.look.eyes))
        upper = [(-0.92, -0.1), (-0.68, -0.74), (0.0, -1.0), (0.68, -0.76), (1.0, -0.1)]
        canvas.fill(self._in_eye(side, [*upper, (0.76, 0.68), (0.1, 0.98), (-0.62, 0.82)], opened), WHITE)
        glance = 0.1 * self.pose.yaw
        canvas.fill(self._round(side, (glance, 0.02), (0.82, 1.0), opened), ink_of(dark))
        canvas.fill(self._round(side, (glance, 0.06), (0.75, 0.92), opened), dark)
        canvas.fill(self._round(side, (glance, 0.34), (0.62, 0.58), opened), iris)
        canvas.fill(self._round(side, (glance, 0.62), (0.42, 0.27), opened), light_of(iris))
        canvas.fill(self._round(side, (glance, 0.06), (0.32, 0.44), opened), ink_of(dark))
        canvas.fill(self._round(side, (glance - 0.3, -0.36), (0.3, 0.27), opened), WHITE)
        canvas.fill(self._round(side, (glance + 0.32, 0.46), (0.14, 0.13), opened), WHITE)
        lash = [
            *((-1.0, -0.14), (-0.74, -0.84), (0.0, -1.2), (0.74, -0.98), (1.14, -0.4), (1.42, -0.3)),
            *((1.1, 0.06), (0.7, -0.64), (0.0, -0.9), (-0.64, -0.62)),
        ]
        canvas.fill(self._in_eye(side, lash, opened), INK)
        lower = [(0.84, 0.56), (0.56, 0.9), (0.05, 1.04)]
        canvas.line(self._in_eye(side, lower, opened, closed=False), ink_of(self.look.skin), 0.7)
        fold = [(-0.6, -1.2), (0.0, -1.5), (0.7, -1.34)]
        canvas.line(self._in_eye(side, fold, opened, closed=False), shade_of(shade_of(self.look.skin)), 0.5)

    def _shut_eye(self, side: int) -> None:
        bow = -1.0 if self.pose.cheer > 0.5 else 1.0  # a smile lifts the lid, a blink lets it fall
        lid = [(-1.0, -0.1 * bow), (-0.5, 0.4 * bow), (0.1, 0.56 * bow), (0.7, 0.36 * bow), (1.2, -0.2 * bow)]
        line = self._in_eye(side, lid, 1.0, closed=False) + np.array((0.0, 0.03 * self.size))
        self.canvas.line(line, INK, 2.2)

    def _nose(self) -> None:
        nose = np.array(((0.0, 0.19), (0.016, 0.208), (-0.004, 0.216)))
        self.canvas.line(self.on_face(nose), shade_of(shade_of(self.look.skin)), 0.6)

    def _mouth(self) -> None:
        canvas, pose = self.canvas, self.pose
        y, width = 0.31, 0.075 + 0.02 * pose.cheer
        if pose.mouth < 0.12:
            smile = smooth(((-width, y - 0.014), (0.0, y + 0.018), (width, y - 0.014)), closed=False)
            canvas.line(self.on_face(smile), _LIP, 0.9)
            return
        opened = 0.03 + 0.085 * pose.mouth
        lips = smooth(
            (
                (-width, y - 0.024),
                (0.0, y - 0.03),
                (width, y - 0.024),
                (width * 0.62, y + opened * 0.7),
                (0.0, y + opened),
                (-width * 0.62, y + opened * 0.7),
            )
        )
        canvas.cel([self.on_face(lips)], (168, 58, 66), ink=0.5)
        teeth = smooth(
            ((-width * 0.75, y - 0.018), (width * 0.75, y - 0.018), (width * 0.5, y + 0.006), (-width * 0.5, y + 0.006))
        )
        if pose.mouth > 0.45:
            canvas.fill(self.on_face(teeth), WHITE)
        canvas.fill(self.on_face(ellipse(0.0, y + opened * 0.66, width * 0.45, opened * 0.27, 14)), (240, 138, 136))
