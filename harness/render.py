"""Draws cel-shaded clips: the only renderer of demo, probes and tests.

A scene is a value; the same scene gives the same frames. Figures are drawn large and averaged down, on twos
or on ones; camera moves are on ones, as they are in animated series. What a scene shows is known without looking
at its frames: ``faces_of`` says where the face is, ``region_of`` where something moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing import poses
from anisora.harness.drawing.backdrop import Backdrop, paint
from anisora.harness.drawing.canvas import Canvas, Colour, Part, Points, ellipse, shade_of
from anisora.harness.drawing.effects import SPECKS, draw_effect
from anisora.harness.drawing.figure import FACE_HEIGHT, STANDING, Figure
from anisora.harness.drawing.look import OUTFITS, Look
from anisora.harness.drawing.places import PLACES
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.types import Frames

__all__ = ["ACTIONS", "RENDER_VERSION", "FaceBox", "Scene", "faces_of", "parts_of", "prompt_of", "region_of", "render"]

RENDER_VERSION: Final = 3
"""Goes up when any pixel can change."""

ACTIONS: Final[tuple[str, ...]] = tuple(poses.ACTIONS)
"""What a scene can show."""

FaceBox = tuple[float, float, float, float]
"""Left, top, width and height as shares of the picture's sides."""

_OVERSIZE: Final = 3  # canvas pixels per frame pixel, each way
_PAN: Final = 0.25  # of the picture's width
_ZOOM: Final = 0.6
_HEAD: Final = {"wide": 0.265, "full": 0.3, "medium": 0.42, "close": 0.62}  # of the picture's height
_EYE_LEVEL: Final = {"medium": 0.45, "close": 0.54}  # middle of the face, of the picture's height
_GROUND: Final = 0.955

_FARTHEST_TURN: Final = 0.6
_DEEPEST_NOD: Final = 0.1
_LEAST_UNCOVERED: Final = 0.85


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
    return f"Anime style: {look.described()} {poses.ACTIONS[scene.action].sentence}, {PLACES[place].sentence}."


def render(scene: Scene, indices: Sequence[int] | None = None) -> Frames:
    """Draw a scene.

    Args:
        scene: What to show.
        indices: Of the frames to draw, in 0..num_frames - 1; None: all.

    Returns:
        (frames, height, width, 3) uint8 RGB. Frames that show the same drawing are equal to the bit.

    Example:
        >>> render(Scene(action="wave", seed=3, num_frames=4, width=64, height=36)).shape
        (4, 36, 64, 3)
    """
    camera = poses.ACTIONS[scene.action].camera
    stage = _Stage(scene)
    wanted = range(scene.num_frames) if indices is None else indices
    frames = np.empty((len(wanted), scene.height, scene.width, 3), np.uint8)
    drawn: dict[tuple[int, int], int] = {}  # what is seen, and the row that shows it already
    for row, index in enumerate(wanted):
        held = index - index % scene.hold
        seen = (held, held if camera == "still" else index)
        if seen in drawn:
            frames[row] = frames[drawn[seen]]
        else:
            frames[row] = stage.frame(drawing=seen[0], camera=seen[1])
            drawn[seen] = row
    return frames


def parts_of(scene: Scene) -> NDArray[np.uint8]:
    """Return what each pixel of each frame shows, from the strokes that drew it.

    Returns:
        (num_frames, height, width) uint8, the values of ``Part``; of a pixel on an edge the part under its centre.
    """
    return np.stack([parts for parts, _ in _marked(scene)])


def region_of(scene: Scene) -> NDArray[np.bool_]:
    """Return where the clip moves: every pixel that what the action moves covers in some frame.

    What an action moves is stated with its poses, such as head and right arm of a figure that waves.

    Returns:
        (height, width)
    """
    moving = int(poses.ACTIONS[scene.action].moving)
    region: NDArray[np.bool_] = np.any(parts_of(scene) & moving > 0, axis=0)
    return region


def faces_of(scene: Scene) -> tuple[FaceBox | None, ...]:
    """Return, for each frame, where the figure shows its face to the viewer; None where it does not.

    A face is shown if the head is turned by at most 0.6 of the quarter view (27 degrees) and nodded by at most a tenth
    of its height, if the box around it from brow to chin lies inside the picture, and if 85 % of the box shows the
    head and no arm, petal or spark in front of it. Eyes may be shut.
    """
    return tuple(box for _, box in _marked(scene))


def _marked(scene: Scene) -> Iterator[tuple[NDArray[np.uint8], FaceBox | None]]:
    stage = _Stage(scene)
    for index in range(scene.num_frames):
        yield stage.marks(drawing=index - index % scene.hold, camera=index)


def _cast(scene: Scene) -> tuple[Look, str]:
    rng = np.random.default_rng([scene.seed, 1])
    look = Look.drawn(rng, scene.outfit)
    return look, list(PLACES)[int(rng.integers(len(PLACES)))]


class _Stage:
    """Everything of a scene that is made once."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.action = scene, poses.ACTIONS[scene.action]
        self.width, self.height = scene.width * _OVERSIZE, scene.height * _OVERSIZE
        self.look, self.place = _cast(scene)
        room = round(_PAN * self.width) if self.action.camera == "pan" else 0
        rng = np.random.default_rng([scene.seed, 2])
        self.backdrop: Backdrop = paint(self.place, rng, width=self.width + room, height=self.height)
        self.specks = np.random.default_rng([scene.seed, 3]).uniform(size=SPECKS)
        self.ink = max(1.0, self.height / 160)
        self.still = self.backdrop.seen(0.0, self.width) if not room else None

    def frame(self, *, drawing: int, camera: int) -> Frames:
        """Return one frame: the figure as at frame ``drawing``, the camera as at frame ``camera``."""
        import cv2

        moved, left = self._moved(camera)
        pixels = self.backdrop.seen(left, self.width) if self.still is None else self.still.copy()
        canvas = Canvas(pixels, self.ink, PLACES[self.place].light)
        self._draw(canvas, drawing, left)
        if self.action.camera == "zoom":
            pixels = self._zoomed(pixels, moved, cv2.INTER_LINEAR)
        small = cv2.resize(pixels, (self.scene.width, self.scene.height), interpolation=cv2.INTER_AREA)
        return small.astype(np.uint8, copy=False)

    def marks(self, *, drawing: int, camera: int) -> tuple[NDArray[np.uint8], FaceBox | None]:
        """Return the parts that the pixels of a frame show, and the box of the face if it is shown."""
        import cv2

        moved, left = self._moved(camera)
        parts = np.zeros((self.height, self.width), np.uint8)
        canvas = Canvas(np.zeros((self.height, self.width, 3), np.uint8), self.ink, parts=parts)
        figure = self._draw(canvas, drawing, left)
        face = figure.face
        if self.action.camera == "zoom":
            parts = self._zoomed(parts, moved, cv2.INTER_NEAREST)
            face = (face - self._focus) * (1 + _ZOOM * moved) + self._focus
        box = self._box(face, parts) if _is_turned_here(figure.pose) else None
        middle = _OVERSIZE // 2
        return parts[middle::_OVERSIZE, middle::_OVERSIZE], box

    def _moved(self, camera: int) -> tuple[float, float]:
        """Return how much of its move the camera has made, and the left edge of a pan."""
        moved = camera / max(1, self.scene.num_frames - 1)
        return moved, moved * _PAN * self.width if self.action.camera == "pan" else 0.0

    def _box(self, face: Points, parts: NDArray[np.uint8]) -> FaceBox | None:
        sides = np.array((self.width, self.height))
        (left, top), (right, bottom) = face.min(axis=0), face.max(axis=0)
        if left < 0 or top < 0 or right > self.width or bottom > self.height:
            return None
        shown = parts[round(top) : round(bottom), round(left) : round(right)] == Part.HEAD
        if shown.mean() < _LEAST_UNCOVERED:
            return None
        x, y = (left, top) / sides
        width, height = (right - left, bottom - top) / sides
        return (float(x), float(y), float(width), float(height))

    def _draw(self, canvas: Canvas, drawing: int, left: float) -> Figure:
        seconds, progress = drawing / self.scene.fps, drawing / self.scene.num_frames
        figure = self._figure(canvas, self.action.pose(seconds, progress), left)
        draw_effect(self.action.effect, canvas, self.specks, hand=figure.hand, seconds=seconds, progress=progress)
        return figure

    def _figure(self, canvas: Canvas, pose: poses.Pose, left: float) -> Figure:
        shot = self.action.shot
        head = _HEAD[shot] * self.height
        is_standing = shot in ("wide", "full")
        down = (
            _GROUND * self.height - STANDING * head
            if is_standing
            else _EYE_LEVEL[shot] * self.height + FACE_HEIGHT * head
        )
        x = pose.x * self.width
        if self.action.camera == "pan":
            x += 0.2 * self.width - left
        if is_standing:
            shadow = ellipse(x, _GROUND * self.height, 0.46 * head * (1 - 0.4 * max(0.0, pose.rise)), 0.06 * head)
            canvas.fill(shadow, self._ground(x))
        figure = Figure(canvas, self.look, pose, hips=(x, down), head=head)
        figure.draw()
        return figure

    def _ground(self, x: float) -> Colour:
        """The ground below a figure, in shadow."""
        column = int(np.clip(x, 0, self.width - 1))
        red, green, blue = (int(tone) for tone in self.backdrop.near[int(_GROUND * self.height), column])
        return shade_of((red, green, blue))

    @property
    def _focus(self) -> NDArray[np.float64]:
        """The point that a zoom leaves in its place: the face of a figure that stands."""
        face = _GROUND - (STANDING + FACE_HEIGHT) * _HEAD["full"]
        return np.array((0.5 * self.width, face * self.height))

    def _zoomed(self, pixels: NDArray[np.uint8], moved: float, interpolation: int) -> NDArray[np.uint8]:
        import cv2

        scale = 1 + _ZOOM * moved
        offset = self._focus * (1 - scale)
        matrix = np.array(((scale, 0, offset[0]), (0, scale, offset[1])))
        size = (self.width, self.height)
        zoomed = cv2.warpAffine(pixels, matrix, size, flags=interpolation, borderMode=cv2.BORDER_REFLECT)
        return zoomed.astype(np.uint8, copy=False)


def _is_turned_here(pose: poses.Pose) -> bool:
    return abs(pose.yaw) <= _FARTHEST_TURN and pose.nod <= _DEEPEST_NOD
