"""Which frames of a clip a sampling means: pure functions of length, frame rate and positions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.harness.media.reference_sampling import clip_24_of_144, linspace_8
from anisora.harness.types import FrameSampling

__all__ = ["sample_indices"]


def sample_indices(  # noqa: PLR0911 - one for each mode
    sampling: FrameSampling, *, num_frames: int, fps: float, positions: Sequence[float] = ()
) -> NDArray[np.int64]:
    """Return the indices of the frames to look at, sorted and without repetition.

    With n frames, f frames a second, and halves rounded to the even neighbour:

    * ``all``: 0 .. n-1.
    * ``uniform``: round(i * (n-1) / (count-1)) for i = 0 .. count-1; the first frame alone for count 1.
    * ``middle``: VBench's rule (``read_frames_decord_by_fps``, vbench/utils.py): with m = min(count, n) and the
      edges e = linspace(0, n, m + 1) cut to integers, the frame (e_i + e_(i+1) - 1) // 2. Floating point is part
      of the rule: an edge that should be whole can come out one lower.
    * ``stride``: 0, stride, 2 * stride, ...
    * ``fps``: round(k * f / fps) for k = 0, 1, ... below n; every frame where more are asked for than there
      are.
    * ``interval``: VBench's rule for dynamic_degree: 0, k, 2k, ... with k = max(1, round(f / fps)).
    * ``keyframes``: round(p * (n-1)) for each position p in [0, 1].
    * ``reward``: ``clip_24_of_144`` (reference_sampling): all of at most 24 frames, else 24 of the first 144.
    * ``reward_motion``: ``linspace_8`` of ``clip_24_of_144`` (reference_sampling): 8 of at most 24 of the first 144.

    Args:
        sampling: The mode and its number.
        num_frames: Length of the clip.
        fps: Frame rate of the clip; used by ``fps`` and ``interval`` alone.
        positions: Positions of the conditioning images, for ``keyframes``.

    Raises:
        ConfigError: A position lies outside [0, 1], or the frame rate is not positive.
    """
    last = num_frames - 1
    if num_frames <= 0:
        return np.empty(0, dtype=np.int64)
    match sampling.mode:
        case "all":
            return np.arange(num_frames, dtype=np.int64)
        case "uniform":
            assert sampling.count is not None
            return _rounded(np.arange(sampling.count) * last / max(sampling.count - 1, 1))
        case "middle":
            assert sampling.count is not None
            edges = np.linspace(0, num_frames, min(sampling.count, num_frames) + 1).astype(np.int64)
            return np.unique((edges[:-1] + edges[1:] - 1) // 2)
        case "stride":
            assert sampling.stride is not None
            return np.arange(0, num_frames, sampling.stride, dtype=np.int64)
        case "fps":
            assert sampling.fps is not None
            return _at_rate(num_frames, fps, sampling.fps)
        case "interval":
            assert sampling.fps is not None
            _check_rate(fps)
            return np.arange(0, num_frames, max(1, round(fps / sampling.fps)), dtype=np.int64)
        case "keyframes":
            if not all(0 <= position <= 1 for position in positions):
                raise ConfigError(f"`positions` got {list(positions)!r}; expected numbers from 0 to 1.")
            return _rounded(np.asarray(positions, dtype=np.float64) * last)
        case "reward":
            return np.array(clip_24_of_144(num_frames), np.int64)
        case "reward_motion":
            shared = np.array(clip_24_of_144(num_frames), np.int64)
            return np.unique(shared[linspace_8(len(shared))])


def _check_rate(fps: float) -> None:
    if not fps > 0:
        raise ConfigError(f"`fps` got {fps!r}; expected the clip's frame rate, above 0.")


def _at_rate(num_frames: int, fps: float, wanted: float) -> NDArray[np.int64]:
    _check_rate(fps)
    if wanted >= fps:
        return np.arange(num_frames, dtype=np.int64)
    indices = _rounded(np.arange(int(num_frames * wanted / fps) + 2) * (fps / wanted))
    return indices[indices < num_frames]


def _rounded(values: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.unique(np.rint(values).astype(np.int64))
