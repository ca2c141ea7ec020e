"""Absolute difference of consecutive frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo

__all__ = ["TemporalDifference"]


class TemporalDifference:
    """Per pair of frames: ``mean_absolute``, the mean over pixels and channels of ``|a - b|``, 0..255."""

    info = ExtractorInfo(
        name="temporal_difference",
        version=1,
        window=2,
        summary="mean absolute difference of consecutive frames, from exact integer sums",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``mean_absolute`` (B,) float64."""
        import cv2

        # For 8-bit input OpenCV adds integers, so the sum is exact whatever the order, threads or vector
        # width.
        sums = [cv2.norm(first, second, cv2.NORM_L1) for first, second in batch.frames]
        return {"mean_absolute": np.rint(np.array(sums, np.float64)) / batch.frames[0, 0].size}
