"""The two outfits, piece by piece, over one and the same body."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import (
    INK,
    Canvas,
    Colour,
    Points,
    along,
    ellipse,
    ink_of,
    light_of,
    shade_of,
    smooth,
)
from anisora.harness.drawing.look import WHITE, Look
from anisora.harness.drawing.poses import Pose

__all__ = ["TORSO", "HoodedJacket", "Outfit", "SailorUniform", "Torso", "outfit_of"]

TORSO: Final = 0.8
"""From the hips to the neck, in heads."""

_RED: Final[Colour] = (226, 62, 74)
_LOAFER: Final[Colour] = (112, 72, 58)

Joint = NDArray[np.float64]
"""(2,) position in pixels."""

_SHOULDERS: Final = (
    *((-0.08, -TORSO - 0.02), (-0.2, -TORSO + 0.05), (-0.27, -TORSO + 0.13), (-0.24, -TORSO + 0.34), (-0.185, -0.3)),
    *((-0.24, 0.02), (0.24, 0.02)),
    *((0.185, -0.3), (0.24, -TORSO + 0.34), (0.27, -TORSO + 0.13), (0.2, -TORSO + 0.05), (0.08, -TORSO - 0.02)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torso:
    """Where the clothes go."""

    canvas: Canvas
    look: Look
    pose: Pose
    head: float
    """Pixels of one head."""
    shape: Callable[..., Points]
    """Corners in heads around the hips -> pixels."""

    @property
    def turn(self) -> float:
        """How far the middle of the chest has moved to the right, in heads."""
        return 0.12 * self.pose.yaw

    def trunk(self) -> Points:
        """Return the outline of chest, waist and hips."""
        return smooth(self.shape(*_SHOULDERS))


class Outfit(Protocol):
    """Pieces in the order in which they are drawn."""

    def leg(self, joints: Sequence[Joint], shoe: list[Points]) -> None:
        """Dress a leg; ``joints`` are hip, knee and ankle."""
        ...

    def sleeve(self, joints: Sequence[Joint]) -> None:
        """Dress an arm; ``joints`` are shoulder, elbow and wrist."""
        ...

    def trunk(self) -> None:
        """Dress the body."""
        ...


def outfit_of(torso: Torso) -> Outfit:
    """Return what the figure wears."""
    return (SailorUniform, HoodedJacket)[torso.look.outfit](torso)


@dataclass(frozen=True, slots=True)
class SailorUniform:
    """White blouse with a sailor collar, pleated skirt, long socks."""

    torso: Torso

    def leg(self, joints: Sequence[Joint], shoe: list[Points]) -> None:
        """Draw sock and loafer."""
        canvas, look, head = self.torso.canvas, self.torso.look, self.torso.head
        _, knee, ankle = joints
        top = knee + (ankle - knee) * 0.12
        canvas.cel(along([top, ankle], [0.088 * head, 0.066 * head]), shade_of(look.cloth), shadow=0.03 * head)
        canvas.cel(shoe, _LOAFER, shadow=0.03 * head)

    def sleeve(self, joints: Sequence[Joint]) -> None:
        """Draw a short sleeve with a cuff."""
        canvas, look, head = self.torso.canvas, self.torso.look, self.torso.head
        shoulder, elbow, _ = joints
        end = shoulder + (elbow - shoulder) * 0.72
        canvas.cel(along([shoulder, end], [0.1 * head, 0.125 * head]), WHITE, shadow=0.05 * head)
        across = np.array((-(end - shoulder)[1], (end - shoulder)[0])) / max(np.hypot(*(end - shoulder)), 1e-6)
        out = (end - shoulder) / max(np.hypot(*(end - shoulder)), 1e-6) * 0.06 * head
        cuff = np.stack([end + across * 0.122 * head, end - across * 0.122 * head])
        canvas.line(cuff + out, look.cloth, 0.032 * head / canvas.ink_width)

    def trunk(self) -> None:
        """Draw blouse, skirt, collar and scarf."""
        canvas, head = self.torso.canvas, self.torso.head
        canvas.cel([self.torso.trunk()], WHITE, shadow=0.08 * head)
        self._skirt()
        self._collar()
        self._scarf()

    def _skirt(self) -> None:
        canvas, look, shape = self.torso.canvas, self.torso.look, self.torso.shape
        swing, hem = 0.12 * self.torso.pose.sway, 0.3
        tops, hems = np.linspace(-0.195, 0.195, 8), np.linspace(-0.4, 0.4, 8) + swing
        low = [hem - 0.28 * x * x + (0.018 if index % 2 else 0.0) for index, x in enumerate(hems - swing)]
        outline = [(x, -0.29) for x in tops] + [(x, y) for x, y in zip(hems[::-1], low[::-1], strict=True)]
        canvas.cel([shape(*outline)], look.cloth, shadow=0.07 * self.torso.head)
        for index in range(1, 7, 2):
            pleat = shape(
                (tops[index], -0.25), (hems[index], low[index] - 0.01), (hems[index + 1], low[index + 1] - 0.01)
            )
            canvas.fill(pleat, shade_of(look.cloth))
            canvas.line(pleat[:2], ink_of(look.cloth), 0.5)
        trim = shape(*[(x * 0.985, y - 0.055) for x, y in zip(hems, low, strict=True)])
        canvas.line(trim, light_of(look.cloth), 0.6)

    def _collar(self) -> None:
        canvas, look, shape, turn = self.torso.canvas, self.torso.look, self.torso.shape, self.torso.turn
        top = -TORSO
        collar = shape(
            *((-0.1, top - 0.03), (-0.22, top + 0.05), (-0.26, top + 0.2), (turn, top + 0.4)),
            *((0.26, top + 0.2), (0.22, top + 0.05), (0.1, top - 0.03)),
        )
        canvas.cel([collar], look.cloth, ink=0.8)
        for side in (-1, 1):
            stripe = shape((side * 0.215, top + 0.17), (turn + side * 0.02, top + 0.335))
            canvas.line(stripe, WHITE, 0.6)
        # The opening of the collar is part of the blouse: skin that no other outfit shows.
        opening = shape((-0.085 + 0.6 * turn, top - 0.03), (0.085 + 0.6 * turn, top - 0.03), (turn, top + 0.26))
        canvas.fill(opening, look.skin)
        canvas.line(opening, ink_of(look.skin), 0.5, closed=True)

    def _scarf(self) -> None:
        shape, turn = self.torso.shape, self.torso.turn
        knot = -TORSO + 0.35
        bow = [
            smooth(
                shape((turn, knot), (turn - 0.1, knot - 0.06), (turn - 0.18, knot - 0.01), (turn - 0.11, knot + 0.07))
            ),
            smooth(
                shape((turn, knot), (turn + 0.1, knot - 0.06), (turn + 0.18, knot - 0.01), (turn + 0.11, knot + 0.07))
            ),
            shape(
                (turn - 0.01, knot), (turn - 0.11, knot + 0.18), (turn - 0.05, knot + 0.16), (turn + 0.01, knot + 0.03)
            ),
            shape(
                (turn + 0.01, knot), (turn + 0.11, knot + 0.18), (turn + 0.05, knot + 0.16), (turn - 0.01, knot + 0.03)
            ),
        ]
        self.torso.canvas.cel(bow, _RED, ink=0.7, shadow=0.025 * self.torso.head)
        x, y = shape((turn, knot + 0.01))[0]
        middle = ellipse(x, y, 0.034 * self.torso.head, 0.04 * self.torso.head, 10)
        self.torso.canvas.cel([middle], _RED, ink=0.5)


@dataclass(frozen=True, slots=True)
class HoodedJacket:
    """Jacket with hood, zip and pockets over dark trousers and white shoes."""

    torso: Torso

    def leg(self, joints: Sequence[Joint], shoe: list[Points]) -> None:
        """Draw trouser leg and shoe."""
        canvas, look, head = self.torso.canvas, self.torso.look, self.torso.head
        canvas.cel(shoe, WHITE, shadow=0.03 * head)
        canvas.cel(along(joints, [0.14 * head, 0.108 * head, 0.094 * head]), look.cloth, shadow=0.05 * head)

    def sleeve(self, joints: Sequence[Joint]) -> None:
        """Draw a long sleeve with a ribbed cuff."""
        canvas, look, head = self.torso.canvas, self.torso.look, self.torso.head
        _, elbow, wrist = joints
        cuff = [wrist - (wrist - elbow) * 0.16, wrist + (wrist - elbow) * 0.02]
        canvas.cel(along(cuff, [0.082 * head, 0.078 * head]), shade_of(look.jacket))
        ends = [*joints[:2], elbow + (wrist - elbow) * 0.78]
        canvas.cel(along(ends, [0.108 * head, 0.112 * head, 0.104 * head]), look.jacket, shadow=0.05 * head)

    def trunk(self) -> None:
        """Draw trousers' top, jacket, shirt, hood and pockets."""
        torso, look = self.torso, self.torso.look
        canvas, head, shape, turn = torso.canvas, torso.head, torso.shape, torso.turn
        hips = smooth(shape((-0.24, -0.1), (0.24, -0.1), (0.265, 0.06), (0.16, 0.15), (-0.16, 0.15), (-0.265, 0.06)))
        canvas.cel([hips], look.cloth, shadow=0.05 * head)
        body = smooth(
            shape(
                *(
                    (-0.1, -TORSO - 0.01),
                    (-0.22, -TORSO + 0.05),
                    (-0.285, -TORSO + 0.16),
                    (-0.245, -0.4),
                    (-0.255, -0.06),
                ),
                *((-0.2, 0.02), (0.2, 0.02), (0.26, -0.06)),
                *((0.245, -0.4), (0.285, -TORSO + 0.16), (0.22, -TORSO + 0.05), (0.1, -TORSO - 0.01)),
            )
        )
        canvas.cel([body], look.jacket, shadow=0.09 * head)
        for side in (-1, 1):
            pocket = shape(
                (side * 0.21, -0.27), (side * 0.1 + turn, -0.31), (side * 0.08 + turn, -0.1), (side * 0.22, -0.1)
            )
            canvas.fill(pocket, shade_of(look.jacket))
            canvas.line(pocket[:2], ink_of(look.jacket), 0.6)
        hem = shape((-0.245, -0.035), (0.245, -0.035), (0.23, 0.03), (-0.23, 0.03))
        canvas.cel([hem], shade_of(look.jacket), ink=0.5)
        zipper = shape((turn, -TORSO + 0.22), (0.8 * turn, 0.02))
        canvas.line(zipper, ink_of(look.jacket), 1.1)
        canvas.line(zipper, light_of(look.jacket), 0.4)
        self._neck()

    def _neck(self) -> None:
        torso, look, top = self.torso, self.torso.look, -TORSO
        canvas, head, shape, turn = torso.canvas, torso.head, torso.shape, torso.turn
        shirt = shape((-0.1 + turn, top - 0.01), (0.1 + turn, top - 0.01), (turn, top + 0.25))
        canvas.cel([shirt], WHITE, ink=0.6)
        hood = [
            smooth(
                shape(
                    *((turn * 0.5 + side * 0.07, top - 0.06), (side * 0.24, top - 0.04), (side * 0.32, top + 0.07)),
                    *((side * 0.22, top + 0.19), (turn + side * 0.05, top + 0.27), (turn + side * 0.085, top + 0.1)),
                )
            )
            for side in (-1, 1)
        ]
        canvas.cel(hood, look.jacket, shadow=0.04 * head, ink=0.8)
        for side in (-1, 1):
            cord = smooth(
                shape(
                    (turn + side * 0.07, top + 0.2), (turn + side * 0.09, top + 0.32), (turn + side * 0.08, top + 0.42)
                ),
                closed=False,
            )
            canvas.line(cord, INK, 1.1)
            canvas.line(cord, WHITE, 0.7)
