"""What a figure does at a time: joint angles, face and place for each action."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi, sin
from types import MappingProxyType
from typing import Final, Literal

from anisora.harness.drawing.canvas import Part

__all__ = ["ACTIONS", "Action", "Pose"]

Arm = tuple[float, float]
"""(upper, bend) in radians: 0 hangs down, positive turns to the right; bend adds below the joint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A figure at one moment. Lengths are in heads, angles in radians."""

    x: float = 0.5
    """Place of the hips in the picture, 0 left and 1 right."""
    rise: float = 0.0
    """Heads above the standing height."""
    lean: float = 0.0
    tilt: float = 0.0
    """Of the head against the body."""
    yaw: float = 0.0
    """Where the face points: -1 left, 0 to the viewer, 1 right."""
    nod: float = 0.0
    """The face moved down (positive) or up, in heads."""
    left_arm: Arm = (-0.2, 0.1)
    right_arm: Arm = (0.2, -0.1)
    arms_behind: Literal["both", "none"] = "both"
    """Which arms the body covers; of a figure that is turned aside it covers the far one."""
    open_hands: bool = False
    """Whether fingers are spread."""
    left_leg: Arm = (-0.05, 0.0)
    right_leg: Arm = (0.05, 0.0)
    mouth: float = 0.0
    """0 closed to 1 wide open."""
    eyes: float = 1.0
    """1 open to 0 shut."""
    cheer: float = 0.0
    """0 calm to 1 beaming: brows, cheeks, a broader mouth; shut eyes smile."""
    sway: float = 0.0
    """Hair and skirt, positive to the right."""
    stretch: float = 1.0
    """Height against normal: below 1 is squashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a clip shows."""

    sentence: str
    """Verb phrase of the prompt."""
    shot: Literal["wide", "full", "medium", "close"]
    pose: Callable[[float, float], Pose]
    """(seconds, progress in [0, 1)) -> pose."""
    moving: Part
    """What the action moves; the region mask is white there."""
    camera: Literal["still", "pan", "zoom"] = "still"
    effect: Literal["none", "petals", "rain", "magic"] = "none"


_ARMS: Final = Part.LEFT_ARM | Part.RIGHT_ARM
_WHOLE: Final = Part.HEAD | Part.TORSO | _ARMS | Part.LEGS


def _blink(seconds: float, at: float = 0.5) -> float:
    """Return how far the eyes are open: shut for a twelfth of a second, every two seconds."""
    return 0.0 if at <= seconds % 2.0 < at + 1 / 12 else 1.0


def _walk(seconds: float, progress: float) -> Pose:
    phase = 2 * pi * 1.5 * seconds
    swing, bob = sin(phase), abs(cos(phase))
    return Pose(
        x=0.24 + 0.52 * progress,
        rise=0.05 * bob,
        yaw=0.27,
        lean=0.02,
        tilt=0.03 * swing,
        sway=-0.3 + 0.2 * swing,
        left_arm=(0.6 * swing, 0.3),
        right_arm=(-0.6 * swing, 0.3),
        left_leg=(-0.5 * swing, -0.4 * max(0.0, cos(phase))),
        right_leg=(0.5 * swing, -0.4 * max(0.0, -cos(phase))),
        mouth=0.3,
        cheer=0.4,
    )


def _run(seconds: float, progress: float) -> Pose:
    phase = 2 * pi * 2.5 * seconds
    swing = sin(phase)
    return Pose(
        x=0.8 - 0.6 * progress,
        rise=0.13 * abs(cos(phase)),
        yaw=-0.27,
        lean=-0.12,
        tilt=0.08,
        sway=0.75 + 0.25 * swing,
        left_arm=(0.9 * swing, -1.3),
        right_arm=(-0.9 * swing, -1.3),
        left_leg=(-0.85 * swing, 0.5 + 0.6 * max(0.0, cos(phase))),
        right_leg=(0.85 * swing, 0.5 + 0.6 * max(0.0, -cos(phase))),
        mouth=0.55,
        cheer=0.6,
    )


def _jump(seconds: float, progress: float) -> Pose:  # noqa: ARG001 - one signature for all actions
    beat = seconds % 1.0
    if beat < 0.22:  # crouch
        deep = sin(pi * beat / 0.22)
        return Pose(stretch=1 - 0.16 * deep, left_arm=(-0.5 * deep - 0.2, 0.3), right_arm=(0.5 * deep + 0.2, -0.3))
    flight = (beat - 0.22) / 0.6
    if flight < 1.0:
        high = 4 * flight * (1 - flight)
        return Pose(
            rise=0.5 * high,
            stretch=1 + 0.04 * high,
            sway=0.5 * (flight - 0.5),
            mouth=0.8,
            cheer=0.9,
            open_hands=True,
            left_arm=(-0.3 - 2.1 * high, -0.2),
            right_arm=(0.3 + 2.1 * high, 0.2),
            left_leg=(-0.06 - 0.3 * high, 0.7 * high),
            right_leg=(0.06 + 0.3 * high, -0.7 * high),
        )
    return Pose(stretch=1 - 0.1 * sin(pi * (beat - 0.82) / 0.18), cheer=0.6)


def _wave(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    swing = sin(2 * pi * 1.7 * seconds)
    return Pose(
        right_arm=(2.05 + 0.08 * swing, 0.7 + 0.45 * swing),
        open_hands=True,
        tilt=0.07 * swing - 0.03,
        mouth=0.6,
        cheer=0.8,
        sway=0.3 * swing,
        eyes=_blink(seconds, 0.6),
    )


def _talk(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    syllables = (0.0, 0.8, 0.35, 1.0, 0.15, 0.6, 0.0, 0.9, 0.4, 0.7, 0.1, 0.5)
    return Pose(
        mouth=syllables[int(seconds * 8 + 1e-6) % len(syllables)],
        eyes=_blink(seconds, 0.4),
        cheer=0.3,
        tilt=0.06 * sin(2 * pi * 0.8 * seconds),
        nod=0.02 * sin(2 * pi * 1.6 * seconds),
        sway=0.25 * sin(2 * pi * 0.8 * seconds),
    )


def _turn(seconds: float, progress: float) -> Pose:
    eased = 0.5 - 0.5 * cos(pi * progress)
    return Pose(yaw=-0.75 + 1.5 * eased, sway=-0.6 * sin(pi * progress), eyes=_blink(seconds, 0.45))


def _bow(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    deep = sin(pi * min(1.0, progress * 1.1)) ** 1.5 if progress < 0.9 else 0.0
    return Pose(
        nod=0.2 * deep,
        rise=-0.12 * deep,
        stretch=1 - 0.1 * deep,
        eyes=1 - min(1.0, 2 * deep),
        left_arm=(-0.2 + 0.4 * deep, 0.1 + 0.3 * deep),
        right_arm=(0.2 - 0.4 * deep, -0.1 - 0.3 * deep),
    )


def _dance(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    swing, double = sin(2 * pi * 1.25 * seconds), abs(sin(2 * pi * 1.25 * seconds))
    return Pose(
        x=0.5 + 0.06 * swing,
        rise=0.1 * double,
        lean=0.1 * swing,
        tilt=-0.12 * swing,
        yaw=0.12 * swing,
        sway=-0.7 * swing,
        left_arm=(-1.6 + 0.7 * swing, -0.5 - 0.6 * swing),
        right_arm=(1.6 + 0.7 * swing, 0.5 - 0.6 * swing),
        open_hands=True,
        left_leg=(-0.16 - 0.22 * swing, 0.3 * (1 + swing)),
        right_leg=(0.16 - 0.22 * swing, -0.3 * (1 - swing)),
        mouth=0.7,
        cheer=0.9,
    )


def _stand(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    breath = sin(2 * pi * 0.8 * seconds)
    return Pose(
        sway=0.5 * sin(2 * pi * 0.9 * seconds),
        eyes=_blink(seconds, 0.6),
        stretch=1 + 0.008 * breath,
        tilt=-0.03,
        cheer=0.3,
    )


def _gaze(seconds: float, progress: float) -> Pose:
    return Pose(
        yaw=0.4 - 0.15 * progress,
        nod=-0.045,
        tilt=-0.05,
        sway=0.6 * sin(2 * pi * 0.8 * seconds),
        mouth=0.25,
        cheer=0.4,
        left_arm=(-0.15, 0.5),
        right_arm=(0.15, -0.5),
    )


def _shelter(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    return Pose(
        nod=0.02,
        tilt=0.06,
        arms_behind="none",
        left_arm=(-0.35, 1.5),
        right_arm=(0.35, -1.5),
        eyes=0.8,
        sway=0.25 * sin(2 * pi * 1.1 * seconds),
    )


def _cast(seconds: float, progress: float) -> Pose:
    lift = min(1.0, progress * 2.5)
    return Pose(
        right_arm=(0.2 + 1.7 * lift, 0.5 * lift + 0.12 * sin(2 * pi * 2 * seconds)),
        left_arm=(-0.3 * lift - 0.2, 0.3),
        open_hands=True,
        left_leg=(-0.2, 0.0),
        right_leg=(0.2, 0.0),
        sway=-0.35 * lift + 0.4 * sin(2 * pi * 1.6 * seconds),
        mouth=0.5 * lift,
        yaw=0.22 * lift,
    )


ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "walk": Action(sentence="walks from left to right", shot="full", pose=_walk, moving=_WHOLE),
        "run": Action(sentence="runs from right to left", shot="full", pose=_run, moving=_WHOLE),
        "jump": Action(sentence="crouches and jumps with both arms up", shot="wide", pose=_jump, moving=_WHOLE),
        "wave": Action(
            sentence="waves one hand and smiles", shot="medium", pose=_wave, moving=Part.RIGHT_ARM | Part.HEAD
        ),
        "talk": Action(sentence="talks to the viewer", shot="close", pose=_talk, moving=Part.HEAD),
        "turn": Action(
            sentence="turns the head from one side to the other", shot="close", pose=_turn, moving=Part.HEAD
        ),
        "bow": Action(sentence="bows and straightens up again", shot="medium", pose=_bow, moving=_WHOLE),
        "dance": Action(sentence="dances, swinging both arms", shot="full", pose=_dance, moving=_WHOLE),
        "pan": Action(
            sentence="stands still while the camera pans to the right",
            shot="full",
            pose=_stand,
            moving=_WHOLE,
            camera="pan",
        ),
        "zoom": Action(
            sentence="stands still while the camera slowly moves in",
            shot="full",
            pose=_stand,
            moving=_WHOLE,
            camera="zoom",
        ),
        "petals": Action(
            sentence="looks up at falling petals", shot="medium", pose=_gaze, moving=Part.EFFECT, effect="petals"
        ),
        "rain": Action(sentence="waits in heavy rain", shot="medium", pose=_shelter, moving=Part.EFFECT, effect="rain"),
        "cast": Action(
            sentence="raises a hand and casts a glowing spell",
            shot="medium",
            pose=_cast,
            moving=Part.EFFECT | Part.RIGHT_ARM,
            effect="magic",
        ),
    }
)
"""What can be drawn, by name."""
