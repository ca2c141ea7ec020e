"""A girl as cel animation draws her: big eyes, hair in locks, one of two outfits."""

from dataclasses import dataclass
from math import cos, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import INK, Canvas, Colour, Points, along, ellipse, shade_of, smooth
from anisora.harness.drawing.poses import Arm, Pose

__all__ = ["HAIR_STYLES", "OUTFITS", "STANDING", "TORSO", "Figure", "Look"]

HAIR_STYLES: Final[tuple[str, ...]] = ("short", "long", "twin-tailed", "ponytailed")
OUTFITS: Final[tuple[str, ...]] = ("a sailor uniform", "a hooded jacket")

_WHITE: Final[Colour] = (250, 248, 244)
_HAIR: Final[dict[str, Colour]] = {
    "pink": (240, 142, 168),
    "blue": (92, 132, 206),
    "blond": (242, 206, 112),
    "brown": (142, 92, 66),
    "silver": (196, 200, 218),
    "red": (206, 82, 70),
    "green": (104, 170, 126),
    "violet": (146, 112, 190),
}
_EYES: Final[tuple[Colour, ...]] = (
    (70, 120, 200),
    (60, 150, 100),
    (190, 90, 60),
    (140, 80, 170),
    (200, 140, 40),
)
_SKIN: Final[tuple[Colour, ...]] = ((255, 226, 204), (250, 216, 190), (236, 194, 162))
_CLOTH: Final[tuple[Colour, ...]] = ((56, 72, 124), (44, 92, 96), (112, 50, 70), (74, 70, 82))
_JACKET: Final[tuple[Colour, ...]] = ((238, 150, 62), (84, 176, 172), (228, 98, 106), (236, 202, 84))

TORSO, THIGH, SHIN, ARM = 0.92, 0.66, 0.62, 0.5
STANDING: Final = THIGH + SHIN + 0.08
"""Hips above the ground, in heads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What stays the same about a figure from frame to frame."""

    hair_name: str
    hair: Colour
    style: int
    eyes: Colour
    skin: Colour
    cloth: Colour
    jacket: Colour
    outfit: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, outfit: int) -> "Look":
        """Choose a look by chance; the outfit does not change what else is chosen."""
        names = list(_HAIR)
        hair_name = names[int(rng.integers(len(names)))]
        return cls(
            hair_name=hair_name,
            hair=_HAIR[hair_name],
            style=int(rng.integers(len(HAIR_STYLES))),
            eyes=_EYES[int(rng.integers(len(_EYES)))],
            skin=_SKIN[int(rng.integers(len(_SKIN)))],
            cloth=_CLOTH[int(rng.integers(len(_CLOTH)))],
            jacket=_JACKET[int(rng.integers(len(_JACKET)))],
            outfit=outfit,
        )

    def described(self) -> str:
        """The figure as the subject of a sentence."""
        return f"a girl with {HAIR_STYLES[self.style]} {self.hair_name} hair in {OUTFITS[self.outfit]}"


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
        self.canvas, self.look, self.pose, self.head = canvas, look, pose, head
        self.hips = np.array(hips) - (0.0, head * (pose.rise - (1 - pose.stretch) * STANDING))
        self.narrow = cos(0.9 * pose.yaw)  # a body seen from the side is narrower
        self.neck = self._body(0.0, -TORSO)
        self.face = self._turned(self.neck, pose.lean + pose.tilt, 0.0, -0.56)
        self.hand = self.neck

    def draw(self) -> None:
        """Draw from back to front."""
        self._back_hair()
        facing_right = self.pose.yaw > 0
        arms = [(-1, self.pose.left_arm), (1, self.pose.right_arm)]
        legs = [(-1, self.pose.left_leg), (1, self.pose.right_leg)]
        sideways = abs(self.pose.yaw) > 0.3
        if sideways and not facing_right:
            arms.reverse()
            legs.reverse()
        if sideways:
            self._arm(*arms[0])
        for side, leg in legs:
            self._leg(side, leg)
        self._torso()
        for side, arm in arms[1:] if sideways else arms:
            self._arm(side, arm)
        self._head()

    def _turned(self, origin: NDArray[np.float64], angle: float, x: float, y: float) -> NDArray[np.float64]:
        x, y = x * self.head, y * self.head
        turned: NDArray[np.float64] = np.array((x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle)))
        return origin + turned

    def _body(self, x: float, y: float) -> NDArray[np.float64]:
        return self._turned(self.hips, self.pose.lean, x * self.narrow, y * self.pose.stretch)

    def _shape(self, *corners: tuple[float, float]) -> Points:
        return np.stack([self._body(x, y) for x, y in corners])

    def _on_face(self, points: Points) -> Points:
        """Heads around the middle of the face -> pixels, with the tilt of the head."""
        angle = self.pose.lean + self.pose.tilt
        turn = np.array(((cos(angle), sin(angle)), (-sin(angle), cos(angle))))
        placed: Points = self.face + (points * self.head) @ turn
        return placed

    def _limb(self, root: NDArray[np.float64], arm: Arm, lengths: tuple[float, float]) -> list[NDArray[np.float64]]:
        upper, lower = arm[0], arm[0] + arm[1]
        joint = root + np.array((sin(upper), cos(upper))) * lengths[0] * self.head
        return [root, joint, joint + np.array((sin(lower), cos(lower))) * lengths[1] * self.head]

    def _leg(self, side: int, leg: Arm) -> None:
        head, look = self.head, self.look
        stretch = self.pose.stretch
        hip, knee, foot = self._limb(self._body(0.14 * side, 0.0), leg, (THIGH * stretch, SHIN * stretch))
        shoe_side = 0.12 * (1.0 if self.pose.yaw > 0.3 else -1.0 if self.pose.yaw < -0.3 else 0.5 * side)
        shoe = along([foot, foot + np.array((shoe_side * head, 0.03 * head))], [0.085 * head, 0.07 * head])
        if look.outfit == 0:
            self.canvas.cel(
                along([hip, knee, foot], [0.13 * head, 0.1 * head, 0.07 * head]),
                look.skin,
                shadow=0.05 * head,
            )
            middle = knee + (foot - knee) * 0.3
            self.canvas.cel(along([middle, foot], [0.095 * head, 0.075 * head]), _WHITE, shadow=0.04 * head)
            self.canvas.cel(shoe, (96, 62, 52), shadow=0.03 * head)
        else:
            self.canvas.cel(
                along([hip, knee, foot], [0.15 * head, 0.12 * head, 0.1 * head]),
                look.cloth,
                shadow=0.06 * head,
            )
            self.canvas.cel(shoe, _WHITE, shadow=0.03 * head)

    def _arm(self, side: int, arm: Arm) -> None:
        head, look = self.head, self.look
        shoulder, elbow, wrist = self._limb(self._body(0.25 * side, -TORSO + 0.14), arm, (ARM, ARM * 0.86))
        palm = wrist + (wrist - elbow) * 0.16
        self.canvas.cel([ellipse(palm[0], palm[1], 0.085 * head, 0.085 * head, 16)], look.skin, shadow=0.03 * head)
        if look.outfit == 0:
            self.canvas.cel(along([elbow, wrist], [0.075 * head, 0.06 * head]), look.skin, shadow=0.04 * head)
            self.canvas.cel(along([shoulder, elbow], [0.125 * head, 0.115 * head]), _WHITE, shadow=0.05 * head)
        else:
            self.canvas.cel(
                along([shoulder, elbow, wrist], [0.125 * head, 0.12 * head, 0.105 * head]),
                look.jacket,
                shadow=0.06 * head,
            )
        if side == 1:
            self.hand = palm

    def _torso(self) -> None:
        head, look, sway = self.head, self.look, self.pose.sway
        throat = [self.neck + np.array((0, 0.05 * head)), self._turned(self.neck, self.pose.lean, 0.0, -0.16)]
        neck = along(throat, [0.1 * head, 0.09 * head])
        self.canvas.cel(neck, shade_of(look.skin))
        trunk = smooth(
            self._shape(
                (-0.12, -TORSO),
                (-0.28, -TORSO + 0.06),
                (-0.31, -TORSO + 0.28),
                (-0.23, -0.34),
                (-0.25, 0.02),
                (0.25, 0.02),
                (0.23, -0.34),
                (0.31, -TORSO + 0.28),
                (0.28, -TORSO + 0.06),
                (0.12, -TORSO),
            )
        )
        if look.outfit == 0:
            self._uniform(trunk, sway)
        else:
            self._jacket(trunk)

    def _uniform(self, trunk: Points, sway: float) -> None:
        head, look = self.head, self.look
        self.canvas.cel([trunk], _WHITE, shadow=0.09 * head)
        hem = 0.34
        skirt = self._shape(
            (-0.24, -0.24),
            (0.24, -0.24),
            (0.43 + 0.1 * sway, hem - 0.04),
            (0.22 + 0.1 * sway, hem),
            (0.1 * sway, hem - 0.02),
            (-0.22 + 0.1 * sway, hem),
            (-0.43 + 0.1 * sway, hem - 0.04),
        )
        self.canvas.cel([skirt], look.cloth, shadow=0.08 * head)
        for fold in (-0.2, 0.0, 0.2):
            self.canvas.line(
                self._shape((fold * 0.6, -0.16), (fold + 0.1 * sway, hem - 0.03)),
                shade_of(shade_of(look.cloth)),
                0.7,
            )
        shift = 0.1 * self.pose.yaw
        collar = self._shape(
            (-0.2, -TORSO + 0.02),
            (0.2, -TORSO + 0.02),
            (0.27, -TORSO + 0.18),
            (shift, -TORSO + 0.42),
            (-0.27, -TORSO + 0.18),
        )
        self.canvas.cel([collar], look.cloth, ink=0.8)
        opening = self._shape((-0.1 + shift, -TORSO + 0.0), (0.1 + shift, -TORSO + 0.0), (shift, -TORSO + 0.3))
        self.canvas.fill(opening, look.skin)
        knot = -TORSO + 0.38
        bow = [
            self._shape((shift, knot), (shift - 0.17, knot - 0.07), (shift - 0.15, knot + 0.1)),
            self._shape((shift, knot), (shift + 0.17, knot - 0.07), (shift + 0.15, knot + 0.1)),
            self._shape(
                (shift - 0.04, knot - 0.03),
                (shift + 0.04, knot - 0.03),
                (shift + 0.06, knot + 0.2),
                (shift, knot + 0.14),
                (shift - 0.06, knot + 0.2),
            ),
        ]
        self.canvas.cel(bow, (214, 58, 66), ink=0.7, shadow=0.03 * head)

    def _jacket(self, trunk: Points) -> None:
        head, look = self.head, self.look
        hips = self._shape((-0.26, -0.14), (0.26, -0.14), (0.28, 0.12), (0.0, 0.16), (-0.28, 0.12))
        self.canvas.cel([hips], look.cloth, shadow=0.05 * head)
        self.canvas.cel([trunk], look.jacket, shadow=0.1 * head)
        shift = 0.14 * self.pose.yaw
        shirt = self._shape(
            (-0.1 + shift, -TORSO), (0.1 + shift, -TORSO), (0.06 + shift, -TORSO + 0.3), (-0.06 + shift, -TORSO + 0.3)
        )
        self.canvas.fill(shirt, _WHITE)
        self.canvas.line(self._shape((shift, -TORSO + 0.3), (shift * 0.8, 0.0)), INK, 0.8)
        hood = [
            smooth(
                self._shape(
                    (-0.12 + shift, -TORSO - 0.02),
                    (-0.32, -TORSO + 0.05),
                    (-0.22, -TORSO + 0.2),
                    (-0.06 + shift, -TORSO + 0.3),
                )
            ),
            smooth(
                self._shape(
                    (0.12 + shift, -TORSO - 0.02),
                    (0.32, -TORSO + 0.05),
                    (0.22, -TORSO + 0.2),
                    (0.06 + shift, -TORSO + 0.3),
                )
            ),
        ]
        self.canvas.cel(hood, look.jacket, shadow=0.04 * head, ink=0.8)
        pocket = self._shape((-0.17, -0.3), (0.17, -0.3), (0.2, -0.06), (-0.2, -0.06))
        self.canvas.cel([pocket], shade_of(look.jacket), ink=0.6)

    def _back_hair(self) -> None:
        look, sway, yaw = self.look, self.pose.sway, self.pose.yaw
        back = -0.16 * yaw
        drift = 0.14 * sway
        if look.style == 0:
            shapes = [
                smooth(
                    (
                        (-0.5 + back, -0.2),
                        (-0.44 + back, -0.62),
                        (0.0, -0.76),
                        (0.44 + back, -0.62),
                        (0.5 + back, -0.2),
                        (0.46 + back + drift, 0.3),
                        (0.2 + back, 0.42),
                        (-0.2 + back, 0.42),
                        (-0.46 + back + drift, 0.3),
                    )
                )
            ]
        elif look.style == 1:
            shapes = [
                smooth(
                    (
                        (-0.5 + back, -0.2),
                        (-0.42 + back, -0.62),
                        (0.0, -0.76),
                        (0.42 + back, -0.62),
                        (0.5 + back, -0.2),
                        (0.54 + back + drift, 0.5),
                        (0.5 + back + 2 * drift, 1.15),
                        (0.22 + back + 2.2 * drift, 1.32),
                        (0.0 + back + 2 * drift, 1.2),
                        (-0.22 + back + 2.2 * drift, 1.32),
                        (-0.5 + back + 2 * drift, 1.15),
                        (-0.54 + back + drift, 0.5),
                    )
                )
            ]
        elif look.style == 2:
            shapes = [self._tail(side * 0.47 + back, -0.3, side, drift) for side in (-1, 1)]
            shapes.append(ellipse(back, -0.18, 0.47, 0.52))
        else:
            side = -1.0 if yaw >= 0 else 1.0
            shapes = [self._tail(0.26 * side + back, -0.55, side, drift), ellipse(back, -0.16, 0.47, 0.52)]
        self.canvas.cel([self._on_face(shape) for shape in shapes], shade_of(look.hair))

    @staticmethod
    def _tail(x: float, y: float, side: float, drift: float) -> Points:
        return smooth(
            (
                (x, y),
                (x + 0.24 * side, y + 0.05),
                (x + 0.36 * side + drift, y + 0.6),
                (x + 0.3 * side + 2 * drift, y + 1.1),
                (x + 0.18 * side + 3 * drift, y + 1.5),
                (x + 0.06 * side + 2 * drift, y + 1.05),
                (x + 0.02 * side + drift, y + 0.5),
            )
        )

    def _head(self) -> None:
        head, look, yaw = self.head, self.look, self.pose.yaw
        drop = self.pose.nod
        chin = 0.1 * yaw
        skull = smooth(
            (
                (-0.4, -0.14),
                (-0.36, -0.5),
                (0.0, -0.64),
                (0.36, -0.5),
                (0.4, -0.14),
                (0.34, 0.16 + drop),
                (0.17 + chin, 0.36 + drop),
                (chin, 0.44 + drop),
                (-0.17 + chin, 0.36 + drop),
                (-0.34, 0.16 + drop),
            )
        )
        if abs(yaw) < 0.45:
            ears = [ellipse(side * 0.41 - 0.1 * yaw, 0.02 + drop, 0.07, 0.1, 14) for side in (-1, 1)]
            self.canvas.cel([self._on_face(ear) for ear in ears], look.skin, shadow=0.03 * head)
        self.canvas.cel([self._on_face(skull)], look.skin, shadow=0.06 * head)
        for side in (-1, 1):
            self._eye(side)
        self._mouth()
        self._front_hair()
        for side in (-1, 1):
            x, width = self._feature(side * 0.2, 0.1)
            brow = smooth(((x - width, -0.135 + drop), (x, -0.165 + drop), (x + width, -0.135 + drop)), closed=False)
            self.canvas.line(self._on_face(brow), shade_of(shade_of(look.hair)), 0.8)

    def _feature(self, x: float, width: float) -> tuple[float, float]:
        """Move a feature with the turn of the head; the far side is foreshortened."""
        yaw = self.pose.yaw
        far = max(0.0, yaw * (1 if x > 0 else -1))
        return x * (1 - 0.25 * abs(yaw)) + 0.2 * yaw, width * (1 - 0.45 * far)

    def _eye(self, side: int) -> None:
        canvas, look = self.canvas, self.look
        x, width = self._feature(side * 0.2, 0.115)
        y = 0.07 + self.pose.nod
        height = 0.15 * self.pose.eyes
        if height < 0.05:
            lid = smooth(((x - width, y), (x, y + 0.05), (x + width, y)), closed=False)
            canvas.line(self._on_face(lid), INK, 1.4)
            return
        canvas.fill(self._on_face(ellipse(x, y, width, height)), _WHITE)
        glance = x + 0.03 * self.pose.yaw
        iris = 0.78 * width
        canvas.fill(
            self._on_face(ellipse(glance, y + 0.01, iris + 0.012, height * 0.96)),
            shade_of(shade_of(look.eyes)),
        )
        canvas.fill(self._on_face(ellipse(glance, y + 0.035, iris * 0.86, height * 0.68)), look.eyes)
        canvas.fill(self._on_face(ellipse(glance, y + 0.005, iris * 0.42, height * 0.5)), INK)
        canvas.fill(self._on_face(ellipse(glance - 0.035, y - 0.05, iris * 0.34, height * 0.26)), _WHITE)
        canvas.fill(self._on_face(ellipse(glance + 0.035, y + 0.08, iris * 0.18, height * 0.14)), _WHITE)
        lash = smooth(
            (
                (x - width * 1.1, y - height * 0.35),
                (x - width * 0.6, y - height * 0.93),
                (x, y - height * 1.08),
                (x + width * 0.6, y - height * 0.93),
                (x + width * 1.1, y - height * 0.35),
            ),
            closed=False,
        )
        canvas.line(self._on_face(lash), INK, 1.7)
        lower = smooth(
            ((x - width * 0.5, y + height * 0.98), (x, y + height * 1.04), (x + width * 0.5, y + height * 0.98)),
            closed=False,
        )
        canvas.line(self._on_face(lower), INK, 0.6)

    def _mouth(self) -> None:
        canvas, pose = self.canvas, self.pose
        x, width = 0.22 * pose.yaw, 0.09
        y = 0.29 + pose.nod
        for side in (-1, 1):
            cheek, size = self._feature(side * 0.27, 0.075)
            canvas.fill(self._on_face(ellipse(cheek, 0.215 + pose.nod, size, 0.03, 16)), (250, 178, 166))
        canvas.line(
            self._on_face(np.array(((x * 1.1, 0.185 + pose.nod), (x * 1.1 + 0.012, 0.2 + pose.nod)))),
            shade_of(self.look.skin),
        )
        if pose.mouth < 0.12:
            smile = smooth(((x - width, y - 0.012), (x, y + 0.018), (x + width, y - 0.012)), closed=False)
            canvas.line(self._on_face(smile), (126, 54, 60), 0.9)
            return
        opened = 0.035 + 0.075 * pose.mouth
        lips = smooth(
            (
                (x - width, y - 0.02),
                (x, y - 0.028),
                (x + width, y - 0.02),
                (x + width * 0.6, y + opened * 0.75),
                (x, y + opened),
                (x - width * 0.6, y + opened * 0.75),
            )
        )
        canvas.cel([self._on_face(lips)], (150, 48, 60), ink=0.5)
        canvas.fill(self._on_face(ellipse(x, y + opened * 0.7, width * 0.45, opened * 0.25, 14)), (236, 128, 128))

    def _front_hair(self) -> None:
        look, yaw, sway = self.look, self.pose.yaw, self.pose.sway
        drop, shift, drift = 0.6 * self.pose.nod, 0.12 * yaw, 0.05 * sway
        crown = smooth(
            ((-0.45, -0.08), (-0.46, -0.4), (-0.26, -0.68), (0.0, -0.76), (0.26, -0.68), (0.46, -0.4), (0.45, -0.08)),
            closed=False,
        )
        tips = (
            (0.36, 0.3),
            (0.33, -0.12),
            (0.24, 0.0),
            (0.15, -0.2),
            (0.06, -0.02),
            (-0.04, -0.2),
            (-0.14, 0.0),
            (-0.22, -0.18),
            (-0.33, -0.08),
            (-0.36, 0.3),
        )
        fringe = np.array(
            [(x + (shift if abs(x) < 0.3 else 0.4 * shift) + drift * (y > -0.1), y + drop) for x, y in tips]
        )
        self.canvas.cel([self._on_face(np.concatenate([crown, fringe]))], look.hair, shadow=0.05 * self.head)
        shine: Colour = (
            min(255, look.hair[0] + 46),
            min(255, look.hair[1] + 46),
            min(255, look.hair[2] + 46),
        )
        band = [
            (x + shift * 0.7, -0.5 + 0.9 * x * x + (0.045 if index % 2 else -0.045) + drop * 0.5)
            for index, x in enumerate(np.linspace(-0.3, 0.3, 13))
        ]
        lower = [(x, y + 0.035) for x, y in reversed(band)]
        self.canvas.fill(self._on_face(np.array(band + lower)), shine)
