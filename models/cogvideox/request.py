"""What V1's entry point makes of a request: the prompt with its scores, and the number of frames.

Reference: anisoraV1_infer/__init__.py (CVModel.run).
"""

from typing import Final

from anisora.harness.errors import ConfigError
from anisora.models.score_suffix import AESTHETIC_SCORE, append_scores, has_motion_score

__all__ = ["LENGTHS", "MOTION_SCORE", "request_frames", "request_prompt"]

MOTION_SCORE: Final = 0.7
"""Of a request that asks for no motion and whose prompt has no score."""
LENGTHS: Final = {"3": 49, "6": 97}
"""{seconds, as the entry point spells them: frames at 16 a second, the last one included}"""


def request_prompt(prompt: str, motion: object = None) -> str:
    """Return the prompt that the model is given.

    Args:
        prompt: With or without scores.
        motion: The motion score asked for. Anything but a float, whole numbers and texts too, asks for none.

    Example:
        >>> request_prompt("A girl waves.", 1.3)
        'A girl waves. aesthetic score: 5.5. motion score: 1.3.'
        >>> request_prompt("A girl waves.", 2)
        'A girl waves. aesthetic score: 5.5. motion score: 0.7.'
    """
    asked = motion if isinstance(motion, float) else None
    if asked is None and not has_motion_score(prompt):
        asked = MOTION_SCORE
    return append_scores(prompt, aesthetic=AESTHETIC_SCORE, motion=asked)


def request_frames(length: str) -> int:
    """Return the number of frames of a length.

    Args:
        length: One of LENGTHS.

    Raises:
        ConfigError: There is no such length.
    """
    if length not in LENGTHS:
        raise ConfigError(f"`length` got {length!r}; expected one of {', '.join(LENGTHS)}, in seconds. Choose one.")
    return LENGTHS[length]
