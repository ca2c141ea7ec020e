"""Clips with ground truths that can, and that cannot, be compared."""

import numpy as np
from metric_clips import fading, noise, still, translating
from metric_tester import Case

from anisora.harness.types import FrameArray, Frames

__all__ = ["FIDELITY_CASES", "common_frames"]


def _cut(source: FrameArray, *, length: int, fps: float | None = None) -> FrameArray:
    return FrameArray(frames=source.frames[:length], fps=fps or source.fps)


_MOVING = translating(shift=(2, 1), num_frames=9, height=24, width=30)
_NOISE = noise(num_frames=9, height=24, width=30)

FIDELITY_CASES = (
    Case(name="noise against texture", clip=_NOISE, ground_truth=_MOVING),
    Case(name="equal", clip=_MOVING, ground_truth=_MOVING),
    Case(
        name="some frames equal",
        clip=_MOVING,
        ground_truth=FrameArray(frames=np.concatenate([_MOVING.frames[:4], _NOISE.frames[4:]]), fps=24.0),
    ),
    Case(name="ground truth shorter", clip=_MOVING, ground_truth=_cut(_NOISE, length=5)),
    Case(name="clip shorter", clip=_cut(_MOVING, length=4), ground_truth=_NOISE),
    Case(
        name="ntsc written twice",
        clip=_cut(_MOVING, length=3, fps=23.976),
        ground_truth=_cut(_NOISE, length=3, fps=24000 / 1001),
    ),
    Case(name="other size", clip=_MOVING, ground_truth=still(num_frames=9)),
    Case(name="turned", clip=_MOVING, ground_truth=noise(num_frames=9, height=30, width=24)),
    Case(name="other frame rate", clip=_MOVING, ground_truth=fading(num_frames=9, height=24, width=30)),
    Case(name="no ground truth", clip=_MOVING),
)


def common_frames(case: Case) -> tuple[Frames, Frames] | None:
    """The frames to compare, or None where the rule forbids it."""
    clip, truth = case.clip, case.ground_truth
    if truth is None or clip.frames.shape[1:] != truth.frames.shape[1:]:
        return None
    if round(clip.fps, 2) != round(truth.fps, 2):
        return None
    length = min(len(clip.frames), len(truth.frames))
    return clip.frames[:length], truth.frames[:length]
