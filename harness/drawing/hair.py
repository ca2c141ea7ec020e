"""Hair in locks: what hangs behind the body, and what frames the face."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anisora.harness.drawing.canvas import Points, ellipse, ink_of, light_of, lock, shade_of, smooth, tapered
from anisora.harness.drawing.head import Head

__all__ = ["Hair"]

_Lock = tuple[tuple[float, float], tuple[float, float], tuple[float, float], float]
"""Root left and right, tip, bend; in heads around the middle of the face."""

_PARTED: Final[tuple[_Lock, ...]] = (
    ((-0.49, -0.3), (-0.29, -0.42), (-0.4, 0.06), -0.05),
    ((-0.38, -0.36), (-0.15, -0.46), (-0.27, -0.07), -0.03),
    ((-0.22, -0.42), (0.03, -0.48), (-0.09, -0.03), -0.01),
    ((-0.03, -0.46), (0.15, -0.46), (0.055, -0.1), 0.01),
    ((0.1, -0.46), (0.36, -0.38), (0.22, -0.05), 0.03),
    ((0.29, -0.42), (0.49, -0.3), (0.4, 0.05), 0.05),
)
_SWEPT: Final[tuple[_Lock, ...]] = (
    ((-0.49, -0.28), (-0.26, -0.46), (-0.42, 0.06), -0.06),
    ((-0.38, -0.38), (-0.08, -0.5), (-0.32, -0.05), -0.06),
    ((-0.2, -0.42), (0.12, -0.5), (-0.17, -0.04), -0.06),
    ((0.0, -0.46), (0.24, -0.48), (0.0, -0.08), -0.04),
    ((0.12, -0.48), (0.4, -0.38), (0.25, -0.04), 0.03),
    ((0.3, -0.42), (0.49, -0.28), (0.41, 0.06), 0.05),
)
_FRINGES: Final = (_PARTED, _SWEPT, _PARTED, _SWEPT)  # by hair style
_SIDE_TIPS: Final = (0.44, 0.86, 0.5, 0.56)  # how far down the locks beside the face reach, by hair style
_ROUND: Final = 0.54  # radius on which the fringe lies


@dataclass(slots=True)
class Hair:
    """The hair of a head; styles as in ``HAIR_STYLES``."""

    head: Head

    def _hung(self, points: Points) -> Points:
        """Let hair hang: what is lower swings farther."""
        depth = np.clip(points[:, 1] + 0.2, 0.0, None)
        swung = points[:, 0] + 0.16 * self.head.pose.sway * depth**1.4
        return self.head.place(np.stack([swung, points[:, 1] + 0.5 * self.head.pose.nod], axis=1))

    def _turned(self, points: Points) -> Points:
        """Let the fringe go with the turn of the head; in heads."""
        turn = np.arcsin(np.clip(self.head.turned / 0.46, -1, 1))
        across = np.arcsin(np.clip(points[:, 0] / _ROUND, -0.97, 0.97)) + 0.8 * turn
        drift = 0.03 * self.head.pose.sway * np.clip(points[:, 1] + 0.35, 0.0, None)
        return np.stack([_ROUND * np.sin(across) + drift, points[:, 1] + 0.7 * self.head.pose.nod], axis=1)

    def back(self) -> None:
        """Draw what is behind the body."""
        head, look = self.head, self.head.look
        shapes = (self._bob, self._long, self._cap, self._cap)[look.style]()
        head.canvas.cel([self._hung(shape) for shape in shapes], shade_of(look.hair), shadow=0.05 * head.size)
        for spine, widths in self._tails():
            tail = tapered(spine, widths)
            head.canvas.cel([self._hung(tail)], look.hair, shadow=0.06 * head.size)
            for beside in (-0.4, 0.35):
                strand = tapered(spine[1:], [width * beside for width in widths[1:]])[: (len(spine) - 2) * 6]
                head.canvas.line(self._hung(strand), ink_of(look.hair), 0.45)

    def _cap(self) -> list[Points]:
        back = -0.35 * self.head.turned
        return [ellipse(back, -0.12, 0.46, 0.46)]

    def _bob(self) -> list[Points]:
        back = -0.3 * self.head.turned
        tips = [
            lock((x - 0.13, -0.1), (x + 0.13, -0.1), (x * 0.94, depth), 0.16 * x)
            for x, depth in ((-0.4, 0.46), (-0.26, 0.56), (-0.1, 0.54), (0.1, 0.56), (0.26, 0.54), (0.4, 0.46))
        ]
        return [ellipse(back, -0.1, 0.5, 0.5), *(tip + np.array((back, 0.0)) for tip in tips)]

    def _long(self) -> list[Points]:
        back = -0.3 * self.head.turned
        fall = smooth(
            (
                *((0.0, -0.62), (-0.3, -0.56), (-0.49, -0.3), (-0.5, 0.1), (-0.54, 0.5), (-0.56, 0.9), (-0.44, 1.16)),
                *((0.0, 1.26), (0.44, 1.16), (0.56, 0.9), (0.54, 0.5), (0.5, 0.1), (0.49, -0.3), (0.3, -0.56)),
            )
        )
        tips = [
            lock((x - 0.12, 0.8), (x + 0.12, 0.8), (x * 1.12, depth), 0.1 * x)
            for x, depth in ((-0.45, 1.3), (-0.3, 1.46), (-0.1, 1.52), (0.1, 1.48), (0.3, 1.5), (0.45, 1.28))
        ]
        return [shape + np.array((back, 0.0)) for shape in (fall, *tips)]

    def _tails(self) -> list[tuple[list[tuple[float, float]], tuple[float, ...]]]:
        """Return spine and half widths of what is tied together."""
        back = -0.45 * self.head.turned
        if self.head.look.style == 2:
            widths = (0.07, 0.16, 0.19, 0.15, 0.08, 0.01)
            spine = ((0.4, -0.36), (0.62, -0.2), (0.71, 0.16), (0.68, 0.56), (0.66, 0.88), (0.78, 1.12))
            return [([(side * x + back, y) for x, y in spine], widths) for side in (-1, 1)]
        if self.head.look.style == 3:
            spine = ((0.2, -0.54), (0.45, -0.58), (0.63, -0.28), (0.64, 0.14), (0.57, 0.54), (0.68, 0.84))
            return [([(back - x, y) for x, y in spine], (0.07, 0.14, 0.18, 0.16, 0.1, 0.01))]
        return []

    def fringe(self) -> list[Points]:
        """Return the hair over the forehead, in heads."""
        cap = smooth(
            (
                *((-0.475, 0.0), (-0.505, -0.22), (-0.435, -0.46), (-0.25, -0.6), (0.0, -0.645)),
                *((0.25, -0.6), (0.435, -0.46), (0.505, -0.22), (0.475, 0.0)),
                *((0.4, -0.2), (0.3, -0.36), (0.0, -0.44), (-0.3, -0.36), (-0.4, -0.2)),
            )
        )
        cap += np.array((0.0, 0.5 * self.head.pose.nod))
        locks = [self._turned(lock(*each)) for each in _FRINGES[self.head.look.style]]
        return [cap, *locks]

    def front(self, fringe: list[Points]) -> None:
        """Draw the fringe, the locks beside the face and what is tied into the hair."""
        head, look = self.head, self.head.look
        tip = _SIDE_TIPS[look.style]
        sides = [
            self._hung(
                lock(
                    (side * 0.44 - 0.055, -0.24),
                    (side * 0.44 + 0.055, -0.24),
                    (side * (0.39 + 0.06 * tip) - 0.1 * head.turned, tip),
                    0.09 * side,
                )
            )
            for side in (-1, 1)
        ]
        shapes = [head.place(shape) for shape in fringe]
        head.canvas.cel([*sides, *shapes], look.hair, shadow=0.04 * head.size)
        self._strands()
        self._shine()
        if look.style in (0, 2):
            antenna = tapered([(-0.03, -0.58), (-0.06, -0.7), (0.05, -0.77), (0.19, -0.7)], (0.03, 0.034, 0.022, 0.002))
            head.canvas.cel([self._hung(antenna)], look.hair)
        self._ribbons()

    def _strands(self) -> None:
        canvas, tone = self.head.canvas, ink_of(self.head.look.hair)
        for left, _right, _tip, _bend in _FRINGES[self.head.look.style][1:]:
            gap = ((left[0] + 0.02), left[1] + 0.16)
            line = smooth([(0.25 * gap[0], -0.58), (0.75 * gap[0], -0.46), gap], closed=False)
            canvas.line(self.head.place(self._turned(line)), tone, 0.45)

    def _shine(self) -> None:
        look, nod = self.head.look, self.head.pose.nod
        for start, end in ((-0.34, -0.02), (0.05, 0.3)):
            across = np.linspace(start, end, 9)
            upper = [(x, -0.49 + 0.75 * x * x + (0.03 if index % 2 else -0.012)) for index, x in enumerate(across)]
            lower = [(x, -0.435 + 0.7 * x * x + (0.028 if index % 2 else -0.02)) for index, x in enumerate(across)]
            band = np.array([*upper, *reversed(lower)])
            self.head.canvas.fill(self.head.place(self._turned(band) - (0, 0.2 * nod)), light_of(look.hair))

    def _ribbons(self) -> None:
        head, look = self.head, self.head.look
        back = -0.45 * head.turned
        knots = {2: ((-0.42, -0.4), (0.42, -0.4)), 3: ((-0.24, -0.57),)}
        for x, y in knots.get(look.style, ()):
            for side in (-1, 1):
                wing = smooth(
                    ((x, y), (x + side * 0.1, y - 0.11), (x + side * 0.17, y - 0.03), (x + side * 0.11, y + 0.07))
                )
                head.canvas.cel(
                    [head.place(wing + np.array((back, 0.0)))], look.ribbon, shadow=0.02 * head.size, ink=0.8
                )
            head.canvas.cel([head.place(ellipse(x + back, y, 0.035, 0.045, 12))], look.ribbon, ink=0.6)
