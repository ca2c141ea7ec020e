"""What a figure does at a time: joint angles, face and place for each action."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi, sin
from types import MappingProxyType
from typing import Final, Literal

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
    left_arm: Arm = (-0.16, 0.06)
    right_arm: Arm = (0.16, -0.06)
    left_leg: Arm = (-0.06, 0.0)
    right_leg: Arm = (0.06, 0.0)
    mouth: float = 0.0
    """0 closed to 1 wide open."""
    eyes: float = 1.0
    """1 open to 0 shut."""
    sway: float = 0.0
    """Hair and skirt, positive to the right."""
    stretch: float = 1.0
    """Height against normal: below 1 is squashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a clip shows."""

    sentence: str
    """Verb phrase of the prompt."""
    shot: Literal["full", "medium", "close"]
    pose: Callable[[float, float], Pose]
    """(seconds, progress in [0, 1)) -> pose."""
    camera: Literal["still", "pan", "zoom"] = "still"
    effect: Literal["none", "petals", "rain", "magic"] = "none"


def _blink(seconds: float, at: float = 0.5) -> float:
    return 0.05 if at <= seconds % 2.0 < at + 0.13 else 1.0


def _walk(seconds: float, progress: float) -> Pose:
    phase = 2 * pi * 1.5 * seconds
    swing, bob = sin(phase), abs(cos(phase))
    return Pose(
        x=0.16 + 0.66 * progress,
        rise=0.06 * bob,
        yaw=0.4,
        lean=0.03,
        sway=-0.25 + 0.1 * swing,
        left_arm=(0.65 * swing, 0.25),
        right_arm=(-0.65 * swing, 0.25),
        left_leg=(-0.55 * swing, -0.35 * max(0.0, cos(phase))),
        right_leg=(0.55 * swing, -0.35 * max(0.0, -cos(phase))),
        eyes=_blink(seconds),
    )


def _run(seconds: float, progress: float) -> Pose:
    phase = 2 * pi * 2.6 * seconds
    swing = sin(phase)
    return Pose(
        x=0.86 - 0.74 * progress,
        rise=0.16 * abs(cos(phase)),
        yaw=-0.4,
        lean=-0.16,
        sway=0.75 + 0.2 * swing,
        left_arm=(0.95 * swing, -1.35),
        right_arm=(-0.95 * swing, -1.35),
        left_leg=(-0.95 * swing, 0.5 + 0.6 * max(0.0, cos(phase))),
        right_leg=(0.95 * swing, 0.5 + 0.6 * max(0.0, -cos(phase))),
        mouth=0.45,
    )


def _jump(seconds: float, progress: float) -> Pose:  # noqa: ARG001 - one signature for all actions
    beat = (seconds % 1.0) / 1.0
    if beat < 0.22:  # crouch
        deep = sin(pi * beat / 0.22)
        return Pose(stretch=1 - 0.16 * deep, left_arm=(-0.5 * deep - 0.16, 0.2), right_arm=(0.5 * deep + 0.16, -0.2))
    flight = (beat - 0.22) / 0.6
    if flight < 1.0:
        high = 4 * flight * (1 - flight)
        return Pose(
            rise=0.55 * high,
            stretch=1 + 0.04 * high,
            sway=0.5 * (flight - 0.5),
            mouth=0.8,
            left_arm=(-0.3 - 2.1 * high, -0.2),
            right_arm=(0.3 + 2.1 * high, 0.2),
            left_leg=(-0.06 - 0.3 * high, 0.55 * high),
            right_leg=(0.06 + 0.3 * high, -0.55 * high),
        )
    return Pose(stretch=1 - 0.1 * sin(pi * (beat - 0.82) / 0.18))


def _wave(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    swing = sin(2 * pi * 1.7 * seconds)
    return Pose(
        right_arm=(1.95 + 0.12 * swing, 0.5 * swing + 0.75),
        tilt=0.08 * swing,
        mouth=0.5,
        sway=0.15 * swing,
        eyes=_blink(seconds, 0.6),
    )


def _talk(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    syllables = (0.0, 0.8, 0.35, 1.0, 0.15, 0.6, 0.0, 0.9, 0.4, 0.7, 0.1, 0.5)
    return Pose(
        mouth=syllables[int(seconds * 8 + 1e-6) % len(syllables)],
        eyes=_blink(seconds, 0.4),
        tilt=0.05 * sin(2 * pi * 0.8 * seconds),
        nod=0.02 * sin(2 * pi * 1.6 * seconds),
    )


def _turn(seconds: float, progress: float) -> Pose:
    eased = 0.5 - 0.5 * cos(pi * progress)
    return Pose(yaw=-0.7 + 1.4 * eased, sway=-0.5 * sin(pi * progress), eyes=_blink(seconds, 0.45))


def _bow(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    deep = sin(pi * min(1.0, progress * 1.1)) ** 1.5 if progress < 0.9 else 0.0
    return Pose(
        nod=0.2 * deep,
        rise=-0.12 * deep,
        stretch=1 - 0.1 * deep,
        eyes=1 - 0.95 * min(1.0, 2 * deep),
        left_arm=(-0.16 + 0.4 * deep, 0.3 * deep),
        right_arm=(0.16 - 0.4 * deep, -0.3 * deep),
    )


def _dance(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    swing, double = sin(2 * pi * 1.25 * seconds), abs(sin(2 * pi * 1.25 * seconds))
    return Pose(
        x=0.5 + 0.05 * swing,
        rise=0.1 * double,
        lean=0.12 * swing,
        tilt=-0.14 * swing,
        sway=-0.6 * swing,
        left_arm=(-1.5 + 0.9 * swing, -0.7 * swing),
        right_arm=(1.5 + 0.9 * swing, -0.7 * swing),
        left_leg=(-0.18 - 0.2 * swing, 0.25 * (1 + swing)),
        right_leg=(0.18 - 0.2 * swing, -0.25 * (1 - swing)),
        mouth=0.6,
    )


def _stand(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    breath = sin(2 * pi * 0.8 * seconds)
    return Pose(sway=0.4 * sin(2 * pi * 0.9 * seconds), eyes=_blink(seconds), stretch=1 + 0.008 * breath)


def _gaze(seconds: float, progress: float) -> Pose:
    return Pose(
        yaw=0.45 - 0.15 * progress,
        nod=-0.05,
        tilt=-0.04,
        sway=0.5 * sin(2 * pi * 0.8 * seconds),
        eyes=_blink(seconds, 0.7),
    )


def _shelter(seconds: float, progress: float) -> Pose:  # noqa: ARG001
    return Pose(
        nod=0.03,
        tilt=0.06,
        left_arm=(-0.5, 1.9),
        right_arm=(0.5, -1.9),
        eyes=0.75,
        sway=0.2 * sin(2 * pi * 1.1 * seconds),
    )


def _cast(seconds: float, progress: float) -> Pose:
    lift = min(1.0, progress * 2.5)
    return Pose(
        right_arm=(0.2 + 2.2 * lift, 0.15 * sin(2 * pi * 2 * seconds)),
        left_arm=(-0.5 * lift - 0.16, 0.3),
        left_leg=(-0.2, 0.0),
        right_leg=(0.2, 0.0),
        sway=0.55 * sin(2 * pi * 1.6 * seconds),
        mouth=0.35 * lift,
        yaw=0.2 * lift,
    )


ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        "walk": Action(sentence="walks from left to right", shot="full", pose=_walk),
        "run": Action(sentence="runs from right to left", shot="full", pose=_run),
        "jump": Action(sentence="crouches and jumps with both arms up", shot="full", pose=_jump),
        "wave": Action(sentence="waves one hand and smiles", shot="medium", pose=_wave),
        "talk": Action(sentence="talks to the viewer", shot="close", pose=_talk),
        "turn": Action(sentence="turns the head from one side to the other", shot="close", pose=_turn),
        "bow": Action(sentence="bows and straightens up again", shot="medium", pose=_bow),
        "dance": Action(sentence="dances, swinging both arms", shot="full", pose=_dance),
        "pan": Action(
            sentence="stands still while the camera pans to the right", shot="full", pose=_stand, camera="pan"
        ),
        "zoom": Action(
            sentence="stands still while the camera slowly moves in", shot="full", pose=_stand, camera="zoom"
        ),
        "petals": Action(sentence="looks up at falling petals", shot="medium", pose=_gaze, effect="petals"),
        "rain": Action(sentence="waits in heavy rain", shot="medium", pose=_shelter, effect="rain"),
        "cast": Action(sentence="raises a hand and casts a glowing spell", shot="medium", pose=_cast, effect="magic"),
    }
)
"""What can be drawn, by name."""
