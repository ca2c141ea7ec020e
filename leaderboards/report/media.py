"""Pictures and small videos of a report, as data that can stand inside the page.

Clips are decoded in the limited child processes like any other, made small while they are read, and encoded anew:
nothing of a file that somebody sent gets into the page as it is.
"""

import base64
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from anisora.harness.errors import AnisoraError
from anisora.harness.executors.local import map_unordered
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip, Frames, Image

__all__ = [
    "LONGEST_SIDE",
    "STRIP_FRAMES",
    "Moving",
    "fitted",
    "jpeg_uri",
    "poster_of",
    "small_clip",
    "small_clips",
    "small_image",
    "thumbnails",
]

_log = logging.getLogger(__name__)

LONGEST_SIDE: Final = 320
"""Pixels of the longer side of everything in a page."""
STRIP_FRAMES: Final = 6
"""Frames of a filmstrip, evenly spaced from the first to the last."""
_THUMBNAIL: Final = 160
_MOST_FRAMES: Final = 161
"""Longer clips are shown to here; their filmstrips span what is shown."""
_ENCODER: Final = "h264:crf=23,preset=medium"
_QUALITY: Final = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """A clip as a page shows it."""

    video: str
    """MP4 as a data URI."""
    poster: str
    """Its first frame, JPEG as a data URI."""
    strip: str
    """``STRIP_FRAMES`` frames side by side, JPEG as a data URI."""
    width: int
    height: int
    fps: float
    frames: int


def small_clips(
    pool: DecoderPool,
    clips: Mapping[tuple[str, str], Clip],
    *,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> dict[tuple[str, str], Moving]:
    """Make the clips of a page; one that cannot be read is left out and logged.

    Args:
        pool: Decodes and encodes.
        clips: {(run, item): clip}; clips of equal digest are made once.
        workers: Clips in work at a time.
        advance: Called once per clip.
    """
    by_digest = {clip.digest: clip for clip in clips.values()}

    def work(clip: Clip) -> tuple[str, Moving | None]:
        try:
            return clip.digest, small_clip(pool, clip)
        except AnisoraError as error:
            _log.warning("left out of the report: %s", error)
            return clip.digest, None

    made = {}
    for digest, moving in map_unordered(work, by_digest.values(), workers=workers):
        made[digest] = moving
        advance()
    shown = {key: made[clip.digest] for key, clip in clips.items()}
    return {key: moving for key, moving in shown.items() if moving is not None}


def small_clip(pool: DecoderPool, clip: Clip) -> Moving:
    """Make one clip small.

    Raises:
        VideoUnreadable: It is missing or damaged.
    """
    frames, fps = _small_frames(pool, clip)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        pool.encode(frames, fps=fps, path=path, encoder=_ENCODER)
        video = path.read_bytes()
    chosen = frames[np.linspace(0, len(frames) - 1, STRIP_FRAMES).round().astype(int)]
    height, width = frames.shape[1:3]
    return Moving(
        video=_uri("video/mp4", video),
        poster=jpeg_uri(frames[0]),
        strip=jpeg_uri(np.concatenate(list(chosen), axis=1)),
        width=width,
        height=height,
        fps=fps,
        frames=len(frames),
    )


def _small_frames(pool: DecoderPool, clip: Clip) -> tuple[Frames, float]:
    """Read a clip and shrink each frame as it comes; sizes are made even, as H.264 asks."""
    kept: list[Frames] = []
    with pool.open(clip) as stream:
        for _, window in stream:
            kept += [fitted(frame, LONGEST_SIDE) for frame in window[: max(0, _MOST_FRAMES - len(kept))]]
        info = stream.info
    frames = np.stack(kept)
    even = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
    return np.ascontiguousarray(even), info.fps


def poster_of(pool: DecoderPool, clip: Clip) -> str:
    """Return the middle frame of a clip as a thumbnail, JPEG as a data URI.

    Raises:
        VideoUnreadable: It is missing or damaged.
    """
    with pool.open(clip, lambda stream: [stream.num_frames // 2]) as stream:
        frames = [fitted(frame, _THUMBNAIL) for _, window in stream for frame in window]
    return jpeg_uri(frames[0])


def small_image(pool: DecoderPool, image: Image) -> str:
    """Return a conditioning image, JPEG as a data URI.

    Raises:
        VideoUnreadable: It is missing or damaged.
    """
    return jpeg_uri(fitted(pool.read_image(image.path), LONGEST_SIDE))


def fitted(frame: Frames, longest: int) -> Frames:
    """Return a copy of a frame, (H, W, 3), whose longer side is at most ``longest`` pixels."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    if size == (width, height):
        return frame.copy()
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def jpeg_uri(picture: Frames) -> str:
    """Return a picture as JPEG in a data URI.

    Args:
        picture: (H, W, 3) uint8 RGB.
    """
    import cv2

    _, packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return _uri("image/jpeg", packed.tobytes())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def thumbnails(
    pool: DecoderPool,
    clips: Sequence[tuple[str, Clip]],
    *,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, str]:
    """Return {item: thumbnail} of clips; one that cannot be read is left out and logged."""

    def work(pair: tuple[str, Clip]) -> tuple[str, str | None]:
        try:
            return pair[0], poster_of(pool, pair[1])
        except AnisoraError as error:
            _log.warning("left out of the contact sheet: %s", error)
            return pair[0], None

    made = {}
    for item, uri in map_unordered(work, clips, workers=workers):
        made[item] = uri
        advance()
    return {item: uri for item, _ in clips if (uri := made[item]) is not None}
