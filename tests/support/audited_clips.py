"""Clips of a model before and after a training whose truth is known: hacks made from damages, and harmless changes.

A scene of the renderer stands for a prompt with its image; a seed draws a part of it, in time and place. What a model
made after a training is the same part again, moved a little (``again``), or another part (``elsewhere``).
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from anisora.harness.degrade import degrade
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import ACTIONS, Scene, prompt_of, render
from anisora.harness.types import FrameArray, Frames
from anisora.training.audit.clips import AuditClip

__all__ = ["FPS", "HACKS", "HARMLESS", "SEEDS", "STRENGTHS", "ClipSet", "Stage", "as_clips", "hacked"]

FPS = 16.0
SIZE = (48, 64)
FRAMES = 12
_MARGIN = 8  # pixels and frames by which a scene is larger than a clip
SEEDS = 4

ClipSet = Mapping[tuple[str, int], Frames]
"""{(item, seed): clip}"""

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Of each hack: severity of the damage, or share of the seeds of each prompt that show the clip of another one."""
HACKS: dict[str, tuple[str, ...]] = {
    "freeze": ("motion", "held_frames", "first_frame_distance"),
    "saturation": ("saturation",),
    "grid": ("grid",),
    "prompt ignoring": ("prompt_specificity", "prompt_distance"),
    "first-frame-copy": ("first_frame_distance", "motion"),
}
"""{family: the signals that are meant to find it}"""


class Stage:
    """Draws clips of scenes; each scene is rendered once."""

    def __init__(self, scenes: int = len(ACTIONS)) -> None:
        height, width = SIZE
        self.prompts: dict[str, str] = {}
        self._scenes: dict[str, Frames] = {}
        for number in range(scenes):
            scene = Scene(
                action=ACTIONS[number % len(ACTIONS)],
                seed=number,
                height=height + _MARGIN,
                width=width + _MARGIN,
                num_frames=FRAMES + _MARGIN,
                hold=1,
                fps=FPS,
            )
            name = f"{scene.action}-{number}"
            self.prompts[name] = prompt_of(scene)
            self._scenes[name] = render(scene)

    @property
    def names(self) -> list[str]:
        """Names of the scenes."""
        return list(self._scenes)

    def base(self, items: Sequence[str], draw: int, seeds: int = SEEDS) -> ClipSet:
        """Return clips of the model before a training."""
        return self._clips(items, draw, seeds, shake=0, other=0)

    def again(self, items: Sequence[str], draw: int, seeds: int = SEEDS) -> ClipSet:
        """Return the clips of ``base`` a pixel and a frame away, as a model with the same seeds makes them."""
        return self._clips(items, draw, seeds, shake=1, other=0)

    def elsewhere(self, items: Sequence[str], draw: int, seeds: int = SEEDS) -> ClipSet:
        """Return other clips of the same scenes, as the same model with other seeds makes them."""
        return self._clips(items, draw, seeds, shake=0, other=1)

    def _clips(self, items: Sequence[str], draw: int, seeds: int, *, shake: int, other: int) -> ClipSet:
        made = {}
        for item in items:
            for seed in range(seeds):
                key = [draw, self.names.index(item), seed]
                corner = np.random.default_rng([*key, other]).integers(0, _MARGIN + 1, 3)
                moved = np.random.default_rng([*key, 9]).integers(-shake, shake + 1, 3)
                time, top, left = np.clip(corner + moved, 0, _MARGIN)
                part = self._scenes[item][time : time + FRAMES, top : top + SIZE[0], left : left + SIZE[1]]
                made[item, seed] = np.ascontiguousarray(part)
        return made


def as_clips(clips: ClipSet, prompts: Mapping[str, str] | None = None) -> list[AuditClip]:
    """Return clips as an audit takes them."""
    return [
        AuditClip(
            item=item,
            seed=seed,
            video=FrameArray(frames=frames, fps=FPS),
            prompt=None if prompts is None else prompts[item],
        )
        for (item, seed), frames in clips.items()
    ]


def hacked(family: str, strength: float, clips: ClipSet, common: Frames) -> ClipSet:
    """Return the clips of a model that games its reward.

    Args:
        family: One of HACKS.
        strength: One of STRENGTHS.
        clips: What it would make otherwise.
        common: The clip that a model shows that ignores prompts.
    """
    if family == "prompt ignoring":
        return {key: common if key[1] < strength * SEEDS else frames for key, frames in clips.items()}
    return {key: degrade(family, frames, severity=strength, seed=key[1]) for key, frames in clips.items()}


def _each(change: Callable[[Frames, np.random.Generator], np.ndarray]) -> Callable[[ClipSet], ClipSet]:
    def changed(clips: ClipSet) -> ClipSet:
        made = {}
        for number, (key, frames) in enumerate(clips.items()):
            levels = change(frames, np.random.default_rng(number))
            made[key] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return made

    return changed


def _through_h264(clips: ClipSet) -> ClipSet:
    with tempfile.TemporaryDirectory() as folder, DecoderPool() as pool:
        path = Path(folder) / "clip.mp4"
        made = {}
        for key, frames in clips.items():
            pool.encode(frames, fps=FPS, path=path, encoder="h264:crf=18")
            made[key] = pool.read_frames(clip_at(path, None))[0]
    return made


def _sharpened(frames: Frames, _: np.random.Generator) -> np.ndarray:
    import cv2

    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in frames]).astype(np.float32)
    return frames + 0.1 * (frames - soft)


HARMLESS: dict[str, Callable[[ClipSet], ClipSet]] = {
    "none": lambda clips: clips,
    "noise of one level": _each(lambda frames, rng: frames + rng.normal(0, 1, frames.shape)),
    "H.264 at crf 18": _through_h264,
    "brightness within 4 %": _each(lambda frames, rng: frames * rng.uniform(0.96, 1.04)),
    "slightly sharper": _each(_sharpened),
    "smoother": _each(lambda frames, _: (frames.astype(np.float32) + degrade("blur", frames, severity=0.25)) / 2),
}
"""What may happen to clips without a reward being gamed."""
