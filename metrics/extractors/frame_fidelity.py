"""Frames against the ground truth's frames at the same indices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.core.ssim import SSIM_WINDOW, structural_similarity

__all__ = ["FrameFidelity", "mean_squared_error"]


def mean_squared_error(first: Frames, second: Frames) -> float:
    """Return the mean over pixels and channels of ``(a - b)^2``, from the exact integer sum.

    Args:
        first: (H, W, 3) uint8.
        second: (H, W, 3) uint8.

    Returns:
        0..65025, in squared levels.
    """
    import cv2

    # Some builds square a rounded root here, which is off by far less than the half that rint takes back.
    return float(np.rint(cv2.norm(first, second, cv2.NORM_L2SQR)) / first.size)


class FrameFidelity:
    """What `psnr` and `ssim` need of a frame and its ground truth, in one pass.

    Per frame that both clips have: ``mean_squared_error`` (squared levels) and ``ssim``, both NaN where the
    sizes differ; and what the ground truth is: ``reference_height``, ``reference_width``,
    ``reference_frames`` and ``reference_fps``.
    """

    info = ExtractorInfo(
        name="frame_fidelity",
        version=1,
        window=1,
        needs=frozenset({"ground_truth"}),
        summary="squared error and SSIM of each frame against the ground truth",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return six arrays (B,).

        Raises:
            MetricError: The batch has no ground truth.
        """
        if batch.reference is None or batch.reference_stream is None:
            raise MetricError("Extractor `frame_fidelity` got a batch without ground truth; expected its frames.")
        pairs = [_compare(*pair) for pair in zip(batch.frames[:, 0], batch.reference[:, 0], strict=True)]
        size, stream = len(batch.frames), batch.reference_stream
        return {
            "mean_squared_error": np.array([error for error, _ in pairs], np.float64),
            "ssim": np.array([similarity for _, similarity in pairs], np.float64),
            "reference_height": np.full(size, stream.height, np.int64),
            "reference_width": np.full(size, stream.width, np.int64),
            "reference_frames": np.full(size, stream.num_frames, np.int64),
            "reference_fps": np.full(size, stream.fps, np.float64),
        }


def _compare(frame: Frames, reference: Frames) -> tuple[float, float]:
    if frame.shape != reference.shape:
        return float("nan"), float("nan")
    error = mean_squared_error(frame, reference)
    if error == 0.0 and min(frame.shape[:2]) >= SSIM_WINDOW:
        return 0.0, 1.0  # the bits of the long way: every factor of the index has an equal one below the line
    return error, structural_similarity(frame, reference)
