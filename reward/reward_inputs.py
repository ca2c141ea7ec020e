"""What a trainer hands to a reward, as videos that metrics can read."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import DataError
from anisora.harness.types import Clip, FrameArray, Frames, VideoSource

__all__ = ["as_numpy", "check_length", "converter", "video_sources"]


def video_sources(videos: Any, fps: float) -> list[VideoSource]:  # noqa: ANN401 - see MetricReward.__call__
    """Return the videos of a batch, one each.

    Args:
        videos: (B, T, 3, H, W) uint8, a torch tensor or a numpy array; or B paths.
        fps: Frame rate of the tensor and of folders of frames.

    Raises:
        DataError: It is neither, or the frame rate is no positive number.
    """
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not (math.isfinite(fps) and fps > 0):
        raise DataError(f"`fps` got {fps!r}; expected the frame rate of the videos, a positive number.")
    if isinstance(videos, str | Path):
        raise DataError(f"`videos` got the single path {str(videos)!r}; expected a sequence of paths, or a tensor.")
    if not hasattr(videos, "shape"):
        return [_clip(path, float(fps)) for path in videos]
    array = as_numpy(videos)
    if array.dtype != np.uint8 or array.ndim != 5 or array.shape[2] != 3:
        raise DataError(f"`videos` got {array.dtype} of shape {tuple(array.shape)}; expected uint8 (B, T, 3, H, W).")
    if 0 in array.shape[1:]:
        raise DataError(f"`videos` got the empty shape {tuple(array.shape)}; expected uint8 (B, T, 3, H, W).")
    channels_last: list[Frames] = [np.ascontiguousarray(video.transpose(0, 2, 3, 1)) for video in array]
    return [FrameArray(frames=frames, fps=float(fps)) for frames in channels_last]


def _clip(path: object, fps: float) -> Clip:
    from anisora.harness.inputs.manifest import clip_at

    if not isinstance(path, str | Path):
        raise DataError(
            f"`videos` got {type(path).__name__} {path!r}; expected paths, or one uint8 (B, T, 3, H, W) tensor."
        )
    # Only a folder of frames has no rate of its own; a file's is read from it, as evaluation does.
    return clip_at(Path(path), fps if Path(path).is_dir() else None)


def as_numpy(videos: Any) -> NDArray[Any]:  # noqa: ANN401 - a torch tensor or an array
    """Return a tensor of any device, or an array, as an array."""
    return np.asarray(videos.detach().cpu().numpy() if hasattr(videos, "detach") else videos)


def converter(videos: Any) -> Any:  # noqa: ANN401 - a function of an array
    """Return what turns an array into the kind of the videos: a tensor on their device, or the array itself."""
    if not hasattr(videos, "detach"):
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(array).to(videos.device)


def check_length(name: str, values: Sequence[object] | None, count: int) -> None:
    """Refuse a list that is not as long as the batch.

    Raises:
        DataError: It has another length, or is one text.
    """
    if isinstance(values, str):
        raise DataError(f"`{name}` got one text {values!r}; expected one for each of the {count} videos.")
    if values is not None and len(values) != count:
        raise DataError(f"`{name}` has {len(values)} entries for {count} videos; expected one for each.")
