"""Which frame of a clip an image at a position conditions, in V3, V3.1 and V3.2.

Only every eighth frame can be conditioned. A position becomes a frame by cutting to a whole frame, then rounding to the
nearest multiple of 8, halves to the even multiple: of 81 frames, 20 goes to 16 and 60 to 64.

Reference: anisoraV3/wan/image2video_any.py and anisoraV3.2/wan/image2video.py (generate). The reference does not check
the number of frames: where it is no 8k+1, an image near the end may fall behind the last frame and stop it.
"""

from collections.abc import Sequence
from typing import Final

from anisora.harness.errors import ConfigError, DataError

__all__ = ["FRAME_STEP", "frame_ids", "image_at_frame", "unchecked_frame_id"]

FRAME_STEP: Final = 8
"""Frames between those that can be conditioned."""


def unchecked_frame_id(position: float, num_frames: int) -> int:
    """Return the frame of a position by the reference's formula; it may lie behind the last frame.

    ``8 * round(trunc((num_frames - 1) * position) / 8)``, halves to even.

    Args:
        position: 0 is the first frame, 1 the last.
        num_frames: Of the clip, any number.

    Example:
        >>> [unchecked_frame_id(position, 81) for position in (0, 0.25, 0.5, 0.75, 1)]
        [0, 16, 40, 64, 80]
        >>> unchecked_frame_id(1.0, 77)
        80
    """
    return FRAME_STEP * round(int((num_frames - 1) * position) / FRAME_STEP)


def frame_ids(positions: Sequence[float], num_frames: int) -> tuple[int, ...]:
    """Return the frames that images at some positions condition; two images may fall on one frame.

    Args:
        positions: Each from 0, the first frame, to 1, the last.
        num_frames: Of the clip, 8k+1.

    Raises:
        ConfigError: The number of frames is another.
        DataError: A position is outside 0 to 1, or there is none.
    """
    if num_frames < 1 or num_frames % FRAME_STEP != 1:
        low = max(0, (num_frames - 1) // FRAME_STEP) * FRAME_STEP + 1
        raise ConfigError(
            f"`num_frames` got {num_frames}; expected a multiple of {FRAME_STEP} plus 1, so that images meet frames. "
            f"Ask for {low} or {low + FRAME_STEP}."
        )
    if not positions:
        raise DataError("`positions` is empty; expected one for each conditioning image. Give an image at 0.")
    for position in positions:
        if not 0 <= position <= 1:
            raise DataError(
                f"`positions` has {position!r}; expected numbers from 0, the first frame, to 1, the last. "
                "Divide a frame's index by the number of frames minus 1."
            )
    return tuple(unchecked_frame_id(position, num_frames) for position in positions)


def image_at_frame(ids: Sequence[int]) -> dict[int, int]:
    """Return {frame: index of the image that it shows}: of images on one frame the last one wins.

    Args:
        ids: The frame of each image.

    Example:
        >>> image_at_frame([24, 24, 72])
        {24: 1, 72: 2}
    """
    return {frame: image for image, frame in enumerate(ids)}
