"""A girl as cel animation draws her: big head, hair in locks, one of two outfits."""

from math import cos, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import Canvas, Part, Points, along, ellipse, shade_of
from anisora.harness.drawing.clothes import TORSO, Torso, outfit_of
from anisora.harness.drawing.hair import Hair
from anisora.harness.drawing.head import FACE, Head
from anisora.harness.drawing.look import Look
from anisora.harness.drawing.poses import Arm, Pose

__all__ = ["FACE_HEIGHT", "STANDING", "Figure"]

_THIGH, _SHIN, _UPPER_ARM, _FOREARM = 0.48, 0.46, 0.4, 0.35
STANDING: Final = _THIGH + _SHIN + 0.07
"""Hips above the ground, in heads."""

_NECK_TO_FACE: Final = 0.53
FACE_HEIGHT: Final = TORSO + _NECK_TO_FACE
"""Middle of the face above the hips, in heads."""


class Figure:
    """One figure in one pose on a canvas; ``hand`` is where the right hand is afterwards."""

    def __init__(self, canvas: Canvas, look: Look, pose: Pose, *, hips: tuple[float, float], head: float) -> None:
        """Place the figure.

        Args:
            canvas: What is drawn on.
            look: Colours, hair and outfit.
            pose: Angles and face.
            hips: Position of the hips in pixels of the canvas, before ``pose.rise``.
            head: Height of a head in pixels of the canvas.
        """
        self.canvas, self.look, self.pose, self.size = canvas, look, pose, head
        self.hips = np.array(hips) - (0.0, head * (pose.rise - (1 - pose.stretch) * STANDING))
        self.narrow = cos(0.6 * pose.yaw)  # a body seen from the side is narrower
        self.neck = self._body(0.0, -TORSO)
        middle = self._turned(self.neck, pose.lean + pose.tilt, 0.0, -_NECK_TO_FACE)
        self.head = Head(canvas, look, pose, middle, head)
        self.outfit = outfit_of(Torso(canvas=canvas, look=look, pose=pose, head=head, shape=self._shape))
        self.hand = self.neck

    @property
    def face(self) -> Points:
        """(4, 2) corners of the face from brow to chin, in pixels of the canvas."""
        left, top, right, bottom = FACE
        corners = np.array(((left, top), (right, top), (right, bottom), (left, bottom)))
        shift = np.array((self.head.turned, self.pose.nod))
        return self.head.place(corners + shift)

    def draw(self) -> None:
        """Draw from back to front."""
        hair = Hair(self.head)
        self.canvas.part = Part.HEAD
        hair.back()
        arms = [(-1, self.pose.left_arm), (1, self.pose.right_arm)]
        legs = [(-1, self.pose.left_leg), (1, self.pose.right_leg)]
        if self.pose.yaw < 0:
            arms.reverse()
            legs.reverse()
        behind = {"far": 1, "both": 2, "none": 0}["far" if abs(self.pose.yaw) > 0.25 else self.pose.arms_behind]
        for side, arm in arms[:behind]:
            self._arm(side, arm)
        for side, leg in legs:
            self._leg(side, leg)
        self._trunk()
        for side, arm in arms[behind:]:
            self._arm(side, arm)
        self.canvas.part = Part.HEAD
        fringe = hair.fringe()
        self.head.draw(fringe)
        hair.front(fringe)
        self.head.brows()

    def _turned(self, origin: NDArray[np.float64], angle: float, x: float, y: float) -> NDArray[np.float64]:
        x, y = x * self.size, y * self.size
        turned: NDArray[np.float64] = np.array((x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle)))
        return origin + turned

    def _body(self, x: float, y: float) -> NDArray[np.float64]:
        return self._turned(self.hips, self.pose.lean, x * self.narrow, y * self.pose.stretch)

    def _shape(self, *corners: tuple[float, float]) -> Points:
        return np.stack([self._body(x, y) for x, y in corners])

    def _limb(self, root: NDArray[np.float64], arm: Arm, lengths: tuple[float, float]) -> list[NDArray[np.float64]]:
        upper, lower = arm[0], arm[0] + arm[1]
        joint = root + np.array((sin(upper), cos(upper))) * lengths[0] * self.size
        return [root, joint, joint + np.array((sin(lower), cos(lower))) * lengths[1] * self.size]

    def _leg(self, side: int, leg: Arm) -> None:
        head, look, stretch = self.size, self.look, self.pose.stretch
        joints = self._limb(self._body(0.115 * side, 0.0), leg, (_THIGH * stretch, _SHIN * stretch))
        ahead = 0.11 * (1.0 if self.pose.yaw > 0.2 else -1.0 if self.pose.yaw < -0.2 else 0.45 * side)
        shoe = along([joints[2], joints[2] + (ahead * head, 0.025 * head)], [0.075 * head, 0.066 * head])
        self.canvas.part = Part.LEGS
        self.canvas.cel(along(joints, [0.125 * head, 0.088 * head, 0.06 * head]), look.skin, shadow=0.04 * head)
        self.canvas.part = Part.LEGS | Part.CLOTHES
        self.outfit.leg(joints, shoe)

    def _arm(self, side: int, arm: Arm) -> None:
        head, look = self.size, self.look
        joints = self._limb(self._body(0.215 * side, -TORSO + 0.14), arm, (_UPPER_ARM, _FOREARM))
        _, elbow, wrist = joints
        part = Part.RIGHT_ARM if side == 1 else Part.LEFT_ARM
        self.canvas.part = part
        palm = wrist + (wrist - elbow) * 0.2
        fingers = self._fingers(palm, wrist - elbow, side) if self.pose.open_hands else []
        hand = ellipse(palm[0], palm[1], 0.075 * head, 0.078 * head, 16)
        self.canvas.cel([hand, *fingers], look.skin, shadow=0.02 * head)
        self.canvas.cel(along([elbow, wrist], [0.066 * head, 0.05 * head]), look.skin, shadow=0.03 * head)
        self.canvas.part = part | Part.CLOTHES
        self.outfit.sleeve(joints)
        if side == 1:
            self.hand = palm

    def _fingers(self, palm: NDArray[np.float64], forearm: NDArray[np.float64], side: int) -> list[Points]:
        """Return four fingers and the thumb of an open hand."""
        ahead = forearm / max(float(np.hypot(*forearm)), 1e-6) * self.size
        shapes: list[Points] = []
        for angle, start, length in (
            (-0.36, 0.05, 0.1),
            (-0.12, 0.05, 0.125),
            (0.12, 0.05, 0.12),
            (0.36, 0.05, 0.1),
            (-1.15, 0.03, 0.1),
        ):
            turned = angle * side
            turn = np.array(((cos(turned), sin(turned)), (-sin(turned), cos(turned))))
            direction = ahead @ turn
            shapes += along(
                [palm + direction * start, palm + direction * length], [0.026 * self.size, 0.022 * self.size]
            )
        return shapes

    def _trunk(self) -> None:
        head, look = self.size, self.look
        self.canvas.part = Part.TORSO
        throat = [self.neck + np.array((0.0, 0.06 * head)), self._turned(self.neck, self.pose.lean, 0.0, -0.12)]
        self.canvas.cel(along(throat, [0.085 * head, 0.078 * head]), shade_of(look.skin))
        self.canvas.part = Part.TORSO | Part.CLOTHES
        self.outfit.trunk()
