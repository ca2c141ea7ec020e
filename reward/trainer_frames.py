"""Frames as trainers hold them, as the batch that rewards take."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import path_exists
from anisora.harness.types import Frames
from anisora.reward.reward_inputs import as_numpy

__all__ = ["TrainerFrames", "trainer_frames"]

_LAYOUTS: Final = (
    "images (N, 3, H, W) or videos (N, T, 3, H, W) of floats from 0 to 1, or (N, H, W, 3) or (N, T, H, W, 3) uint8"
)
_SLACK: Final = 1e-3
"""By how much floats may leave 0..1 through rounding in half precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerFrames:
    """A batch, and which of its videos cannot be scored whatever the reward is."""

    videos: Any
    """(B, T, 3, H, W) uint8, or paths."""
    unusable: dict[int, str] = field(default_factory=dict)
    """{place: why}; nothing is read of them."""


def trainer_frames(videos: Any) -> TrainerFrames:  # noqa: ANN401 - a tensor, an array or paths
    """Return a trainer's frames as a batch: an image is a video of one frame.

    Floats become ``round(255 * x)``. Of uint8, channels are last, as in images, unless only the layout of rewards
    (N, T, 3, H, W) or (N, 3, H, W) fits. A video whose floats are not finite, and a file that is not there, are
    unusable.

    Args:
        videos: A torch tensor on any device, a numpy array, or paths.

    Raises:
        DataError: The layout is none of these, or floats leave 0..1.
    """
    if not hasattr(videos, "shape"):
        return _files(videos)
    if len(videos.shape) not in (4, 5) or 0 in tuple(videos.shape):
        raise DataError(f"`videos` got the shape {tuple(videos.shape)}; expected {_LAYOUTS}.")
    made, unusable = [], {}
    for place, video in enumerate(videos):
        floats = video.float() if hasattr(video, "detach") and video.is_floating_point() else video
        frames = as_numpy(floats)
        frames = _first_channels(frames if frames.ndim == 4 else frames[None])
        if frames.dtype != np.uint8:
            finite = bool(np.isfinite(frames).all())
            if not finite:
                unusable[place] = "frames hold numbers that are not finite"
            frames = _bytes_of(frames if finite else np.zeros_like(frames), place)
        made.append(frames)
    return TrainerFrames(videos=np.stack(made), unusable=unusable)


def _first_channels(frames: NDArray[Any]) -> NDArray[Any]:
    """Return (T, 3, H, W) of either order of axes."""
    is_float = np.issubdtype(frames.dtype, np.floating)
    if frames.dtype == np.uint8 and frames.shape[3] == 3:
        return frames.transpose(0, 3, 1, 2)
    if frames.shape[1] == 3 and (is_float or frames.dtype == np.uint8):
        return frames
    raise DataError(f"`videos` got {frames.dtype} frames of shape {frames.shape}; expected {_LAYOUTS}.")


def _bytes_of(frames: NDArray[Any], place: int) -> Frames:
    low, high = float(frames.min()), float(frames.max())
    if low < -_SLACK or high > 1 + _SLACK:
        raise DataError(
            f"`videos[{place}]` has floats from {low:.4g} to {high:.4g}; expected 0 to 1; of frames from -1 to 1, pass "
            "(x + 1) / 2."
        )
    return np.clip(np.round(frames.astype(np.float32) * 255), 0, 255).astype(np.uint8)


def _files(videos: Sequence[str | Path]) -> TrainerFrames:
    if isinstance(videos, str | Path):
        raise DataError(f"`videos` got the single path {str(videos)!r}; expected a list of paths, or frames.")
    absent = {place: path for place, path in enumerate(videos) if not path_exists(Path(path))}
    unusable = {place: f"`{path}` does not exist" for place, path in absent.items()}
    return TrainerFrames(videos=list(videos), unusable=unusable)
