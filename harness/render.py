"""Draws cel-shaded clips: the only renderer of demo, probes and tests.

A scene is a value; the same scene gives the same frames. Figures are drawn large and averaged down, on twos
or on ones; camera moves are on ones, as they are in animated series.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anisora.harness.drawing import poses
from anisora.harness.drawing.backdrop import PLACES, Backdrop, paint
from anisora.harness.drawing.canvas import Canvas, Colour, ellipse, shade_of
from anisora.harness.drawing.figure import OUTFITS, STANDING, TORSO, Figure, Look
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.types import Frames

__all__ = ["ACTIONS", "RENDER_VERSION", "Scene", "prompt_of", "render"]

RENDER_VERSION: Final = 1
"""Goes up when any pixel can change."""

ACTIONS: Final[tuple[str, ...]] = tuple(poses.ACTIONS)
"""What a scene can show."""

_OVERSIZE: Final = 3  # canvas pixels per frame pixel, each way
_PAN: Final = 0.45  # of the picture's width
_ZOOM: Final = 0.6
_HEAD: Final = {"full": 0.225, "medium": 0.37, "close": 0.56}  # of the picture's height
_EYE_LEVEL: Final = {
    "full": 0.0,
    "medium": 0.42,
    "close": 0.56,
}  # middle of the face, of the picture's height
_GROUND: Final = 0.93


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a clip shows.

    Raises:
        UnknownNameError: There is no such action.
        ConfigError: A number is out of range.
    """

    action: str
    seed: int
    """Chooses hair, colours and place; the outfit is chosen apart."""
    outfit: int = 0
    width: int = 256
    height: int = 144
    num_frames: int = 24
    fps: float = 24.0
    hold: int = 2
    """Frames for which a drawing is held: 1 is animation on ones, 2 on twos."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.action not in ACTIONS:
            raise UnknownNameError("action", self.action, ACTIONS, f"Expected one of {', '.join(ACTIONS)}.")
        if not 0 <= self.outfit < len(OUTFITS):
            raise ConfigError(f"`Scene.outfit` got {self.outfit!r}; expected 0 to {len(OUTFITS) - 1}.")
        for name, lowest in (("seed", 0), ("width", 32), ("height", 32), ("num_frames", 1), ("hold", 1)):
            if getattr(self, name) < lowest:
                raise ConfigError(f"`Scene.{name}` got {getattr(self, name)!r}; expected {lowest} or more.")
        if not self.fps > 0:
            raise ConfigError(f"`Scene.fps` got {self.fps!r}; expected a positive number of frames per second.")


def prompt_of(scene: Scene) -> str:
    """Return an English sentence that says what the clip shows.

    Example:
        >>> prompt_of(Scene(action="walk", seed=1)).startswith("Anime style: a girl with ")
        True
    """
    look, place = _cast(scene)
    return f"Anime style: {look.described()} {poses.ACTIONS[scene.action].sentence}, {PLACES[place]}."


def render(scene: Scene) -> Frames:
    """Draw a scene.

    Args:
        scene: What to show.

    Returns:
        (num_frames, height, width, 3) uint8 RGB. Frames that show the same drawing are equal to the bit.

    Example:
        >>> render(Scene(action="wave", seed=3, num_frames=4, width=64, height=36)).shape
        (4, 36, 64, 3)
    """
    camera = poses.ACTIONS[scene.action].camera
    stage = _Stage(scene)
    frames = np.empty((scene.num_frames, scene.height, scene.width, 3), np.uint8)
    for index in range(scene.num_frames):
        held = index - index % scene.hold
        if camera == "still" and held != index:
            frames[index] = frames[held]
        else:
            frames[index] = stage.frame(drawing=held, camera=index)
    return frames


def _cast(scene: Scene) -> tuple[Look, str]:
    rng = np.random.default_rng([scene.seed, 1])
    look = Look.drawn(rng, scene.outfit)
    return look, list(PLACES)[int(rng.integers(len(PLACES)))]


class _Stage:
    """Everything of a scene that is made once."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.action = scene, poses.ACTIONS[scene.action]
        self.width, self.height = scene.width * _OVERSIZE, scene.height * _OVERSIZE
        self.look, place = _cast(scene)
        room = round(_PAN * self.width) if self.action.camera == "pan" else 0
        rng = np.random.default_rng([scene.seed, 2])
        self.backdrop: Backdrop = paint(place, rng, width=self.width + room, height=self.height)
        self.specks = np.random.default_rng([scene.seed, 3]).uniform(size=(90, 4))
        self.ink = max(1.0, self.height / 150)
        self.still = self.backdrop.seen(0.0, self.width) if not room else None

    def frame(self, *, drawing: int, camera: int) -> Frames:
        """Return one frame: the figure as at frame ``drawing``, the camera as at frame ``camera``."""
        import cv2

        seconds, progress = drawing / self.scene.fps, drawing / self.scene.num_frames
        moved = camera / max(1, self.scene.num_frames - 1)
        left = moved * _PAN * self.width if self.action.camera == "pan" else 0.0
        pixels = self.backdrop.seen(left, self.width) if self.still is None else self.still.copy()
        canvas = Canvas(pixels, self.ink)
        figure = self._figure(canvas, self.action.pose(seconds, progress), left)
        self._effect(canvas, figure, seconds, progress)
        if self.action.camera == "zoom":
            pixels = self._zoomed(canvas.pixels, 1 + _ZOOM * moved)
        small = cv2.resize(pixels, (self.scene.width, self.scene.height), interpolation=cv2.INTER_AREA)
        return small.astype(np.uint8, copy=False)

    def _figure(self, canvas: Canvas, pose: poses.Pose, left: float) -> Figure:
        shot = self.action.shot
        head = _HEAD[shot] * self.height
        if shot == "full":
            down = _GROUND * self.height - STANDING * head
        else:
            down = _EYE_LEVEL[shot] * self.height + 1.5 * head
        x = pose.x * self.width
        if self.action.camera == "pan":
            x += 0.2 * self.width - left
        if shot == "full":
            shadow = ellipse(x, _GROUND * self.height, 0.5 * head * (1 - 0.4 * max(0.0, pose.rise)), 0.07 * head)
            canvas.fill(shadow, self._ground(x))
        figure = Figure(canvas, self.look, pose, hips=(x, down), head=head)
        figure.draw()
        return figure

    def _ground(self, x: float) -> Colour:
        """The ground below a figure, in shadow."""
        column = int(np.clip(x, 0, self.width - 1))
        red, green, blue = (int(tone) for tone in self.backdrop.near[int(_GROUND * self.height), column])
        return shade_of((red, green, blue))

    def _effect(self, canvas: Canvas, figure: Figure, seconds: float, progress: float) -> None:
        if self.action.effect == "petals":
            self._petals(canvas, seconds)
        elif self.action.effect == "rain":
            self._rain(canvas, seconds)
        elif self.action.effect == "magic":
            self._magic(canvas, figure, seconds, progress)

    def _petals(self, canvas: Canvas, seconds: float) -> None:
        size = 0.022 * self.height
        for x, y, speed, turn in self.specks[:44]:
            fall = (y + (0.22 + 0.2 * speed) * seconds) % 1.15 - 0.07
            drift = (x + 0.09 * seconds + 0.025 * np.sin(2 * np.pi * (seconds * 0.7 + turn))) % 1.1 - 0.05
            angle = 2 * np.pi * (turn + 0.6 * seconds)
            petal = ellipse(0, 0, size * (0.7 + 0.5 * speed), size * (0.2 + 0.35 * abs(np.cos(angle))), 12)
            rotation = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
            canvas.fill(
                petal @ rotation + (drift * self.width, fall * self.height),
                (255, 196, 212) if turn < 0.6 else (246, 160, 186),
            )

    def _rain(self, canvas: Canvas, seconds: float) -> None:
        canvas.pixels[...] = (canvas.pixels * np.array((0.74, 0.79, 0.9))).astype(np.uint8)
        for x, y, speed, _ in self.specks:
            fall = (y + (2.1 + 0.9 * speed) * seconds) % 1.3 - 0.2
            top = np.array(((x * 1.2 - 0.06 * fall) * self.width, fall * self.height))
            canvas.line(
                np.stack([top, top + np.array((-0.03, 0.13)) * self.height]),
                (206, 220, 240),
                0.6 + 0.5 * speed,
            )

    def _magic(self, canvas: Canvas, figure: Figure, seconds: float, progress: float) -> None:
        power = min(1.0, 2.2 * progress)
        x, y = figure.hand
        canvas.glow(x, y, self.height * (0.1 + 0.4 * power), (140, 226, 255), 0.85 * power)
        for ring in range(3):
            grown = (1.4 * seconds + ring / 3) % 1.0
            outline = ellipse(x, y, 0.42 * self.height * grown * power, 0.42 * self.height * grown * power, 40)
            canvas.line(outline, (220, 250, 255), 1.4 * (1 - grown) + 0.3, closed=True)
        for angle, start, speed, size in self.specks[:26]:
            away = (start + (0.6 + speed) * seconds) % 1.0 * 0.45 * power * self.height
            turned = 2 * np.pi * angle + seconds
            radius = self.height * (0.005 + 0.012 * size) * power
            star = ellipse(x + away * np.cos(turned), y + away * np.sin(turned), radius, radius, 8)
            star[::2] += (star[::2] - star.mean(axis=0)) * 0.9
            canvas.fill(star, (255, 250, 200))

    def _zoomed(self, pixels: Frames, scale: float) -> Frames:
        import cv2

        face = _GROUND - (STANDING + TORSO + 0.5) * _HEAD["full"]
        centre = np.array((0.5 * self.width, face * self.height))
        offset = centre * (1 - scale)
        matrix = np.array(((scale, 0, offset[0]), (0, scale, offset[1])))
        size = (self.width, self.height)
        zoomed = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return zoomed.astype(np.uint8, copy=False)
