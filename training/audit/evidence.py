"""Evidence of an alarm: the base's clip beside the trained model's, as one small video inside a page."""

import base64
import logging
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from anisora.harness.errors import AnisoraError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip, FrameArray, Frames
from anisora.training.audit.clips import AuditClip

__all__ = ["SideBySide", "side_by_side", "videos_of"]

_log = logging.getLogger(__name__)

_HEIGHT: Final = 256
"""Pixels; higher clips are made smaller."""
_MOST_FRAMES: Final = 161
_GAP: Final = 4
_ENCODER: Final = "h264:crf=23,preset=medium"


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A video with the base on the left and the trained model on the right."""

    video: str
    """MP4 as a data URI."""
    width: int
    height: int


def videos_of(
    pairs: Iterable[tuple[str, int]],
    base: Mapping[tuple[str, int], AuditClip],
    trained: Mapping[tuple[str, int], AuditClip],
    pool: DecoderPool,
) -> dict[tuple[str, int], SideBySide]:
    """Make the videos of pairs of clips; one that cannot be read is left out and logged.

    Args:
        pairs: (item, seed) of each.
        base: The clips before the training.
        trained: The clips after.
        pool: Decodes and encodes.
    """
    made = {}
    for key in dict.fromkeys(pairs):
        try:
            before, fps = _frames(base[key], pool)
            after, _ = _frames(trained[key], pool)
            made[key] = _encoded(side_by_side(before, after), fps, pool)
        except AnisoraError as error:
            _log.warning("left out of the page: %s", error)
    return made


def _frames(clip: AuditClip, pool: DecoderPool) -> tuple[Frames, float]:
    if isinstance(clip.video, FrameArray):
        return clip.video.frames, clip.video.fps
    assert isinstance(clip.video, Clip)
    frames, stream = pool.read_frames(clip.video)
    return frames, stream.fps


def side_by_side(left: Frames, right: Frames) -> Frames:
    """Return two clips in one picture, the second scaled to the height of the first.

    The shorter one waits at its end. Sides are even, as H.264 asks.

    Args:
        left: (T, H, W, 3) uint8.
        right: (T', H', W', 3) uint8.
    """
    height = min(_HEIGHT, left.shape[1]) // 2 * 2
    length = min(max(len(left), len(right)), _MOST_FRAMES)
    sides = [_scaled(frames[np.minimum(np.arange(length), len(frames) - 1)], height) for frames in (left, right)]
    gap = np.full((length, height, _GAP, 3), 255, np.uint8)
    return np.concatenate([sides[0], gap, sides[1]], axis=2)


def _scaled(frames: Frames, height: int) -> Frames:
    import cv2

    width = max(2, round(frames.shape[2] * height / frames.shape[1]) // 2 * 2)
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]).astype(
        np.uint8, copy=False
    )


def _encoded(frames: Frames, fps: float, pool: DecoderPool) -> SideBySide:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.mp4"
        pool.encode(frames, fps=fps, path=path, encoder=_ENCODER)
        content = base64.b64encode(path.read_bytes()).decode("ascii")
    return SideBySide(f"data:video/mp4;base64,{content}", frames.shape[2], frames.shape[1])
