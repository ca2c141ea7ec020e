"""Numbers that each frame has by itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.core.sharpness import laplacian_variance

__all__ = ["FrameStatistics"]


class FrameStatistics:
    """Per frame, at its own size: ``laplacian_variance`` of the luma, in squared levels."""

    info = ExtractorInfo(
        name="frame_statistics",
        version=1,
        window=1,
        preprocess="luma8-bt601",
        summary="variance of the Laplacian of each frame's luma",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``laplacian_variance`` (B,) float64."""
        import cv2

        lumas = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in batch.frames[:, 0])
        return {"laplacian_variance": np.array([laplacian_variance(luma) for luma in lumas], np.float64)}
