"""The scores that AniSora's scripts append to a prompt.

Two ways exist. V1's own entry point rewrites a motion score that is there and moves a camera motion to the end; the
pipeline copied from Open-Sora only appends what is missing.

Reference: anisoraV1_infer/__init__.py and anisoraV1_infer/videosys/pipelines/open_sora/pipeline_open_sora.py
(append_score_to_prompts in both).
"""

import re
from typing import Final

__all__ = ["AESTHETIC_SCORE", "append_missing_scores", "append_scores", "has_motion_score"]

AESTHETIC_SCORE: Final = 5.5
"""What every recommended suffix has."""
_AESTHETIC: Final = "aesthetic score:"
_MOTION: Final = "motion score:"
_CAMERA: Final = "camera motion:"
_WRITTEN_MOTION: Final = re.compile(rf"{_MOTION} \d+(\.\d+)?")


def has_motion_score(prompt: str) -> bool:
    """Return whether a prompt has a motion score, as the scripts look for one: ``motion score:``, anywhere."""
    return _MOTION in prompt


def append_scores(prompt: str, *, aesthetic: float | None = None, motion: float | None = None) -> str:
    """Return a prompt with its scores, as V1's entry point writes them.

    An aesthetic score that is there stays; every motion score that is there is replaced. What follows the first
    ``camera motion:`` is moved behind the scores, with one more space; what follows a second one is lost.

    Args:
        prompt: Of any form.
        aesthetic: Written with one decimal; None appends none.
        motion: Written with one decimal; None appends and replaces none.

    Example:
        >>> append_scores("A girl waves. motion score: 2.", aesthetic=5.5, motion=0.7)
        'A girl waves. motion score: 0.7. aesthetic score: 5.5.'
        >>> append_scores("A girl waves. camera motion: pan left.", motion=0.7)
        'A girl waves.  motion score: 0.7. camera motion:  pan left.'
    """
    text, camera, rest = prompt.partition(_CAMERA)
    if aesthetic is not None and _AESTHETIC not in prompt:
        text += f" {_AESTHETIC} {aesthetic:.1f}."
    if motion is not None:
        if has_motion_score(prompt):
            text = _WRITTEN_MOTION.sub(f"{_MOTION} {motion:.1f}", text)
        else:
            text += f" {_MOTION} {motion:.1f}."
    if camera:
        text += f" {_CAMERA} {rest.partition(_CAMERA)[0]}"
    return text


def append_missing_scores(
    prompt: str, *, aesthetic: float | None = None, motion: float | None = None, camera_motion: str | None = None
) -> str:
    """Return a prompt with the scores that it does not have yet, as the pipeline copied from Open-Sora writes them.

    Args:
        prompt: Of any form.
        aesthetic: Written with one decimal; None appends none.
        motion: The same.
        camera_motion: Such as ``pan left``; None appends none.

    Example:
        >>> append_missing_scores("A girl waves. motion score: 2.", aesthetic=5.5, motion=0.7, camera_motion="pan left")
        'A girl waves. motion score: 2. aesthetic score: 5.5. camera motion: pan left.'
    """
    text = prompt
    if aesthetic is not None and _AESTHETIC not in prompt:
        text += f" {_AESTHETIC} {aesthetic:.1f}."
    if motion is not None and not has_motion_score(prompt):
        text += f" {_MOTION} {motion:.1f}."
    if camera_motion is not None and _CAMERA not in prompt:
        text += f" {_CAMERA} {camera_motion}."
    return text
