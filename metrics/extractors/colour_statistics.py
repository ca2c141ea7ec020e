"""The colours of each frame by itself, wherever in the frame they are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.core.colourfulness import colourfulness
from anisora.metrics.core.palette_drift import quantile_means
from anisora.metrics.extractors.dis_flow import SHORT_SIDE, working_frame

__all__ = ["ColourStatistics", "palette_of"]


def palette_of(frame: Frames) -> NDArray[np.float64]:
    """Return the means of 32 equal parts of the sorted L*, a* and b* of a frame.

    Colours are sRGB under D65, in OpenCV's 8-bit Lab: L* in steps of 100 / 255, a* and b* in whole units.

    Args:
        frame: (H, W, 3) uint8.

    Returns:
        (3, 32) in units of CIE Lab.
    """
    import cv2

    lab = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2Lab), np.uint8).reshape(-1, 3)
    lightness, green_red, blue_yellow = (quantile_means(np.bincount(lab[:, axis], minlength=256)) for axis in range(3))
    return np.stack([lightness * (100.0 / 255.0), green_red - 128.0, blue_yellow - 128.0])


class ColourStatistics:
    """Per frame: ``colourfulness``, M of Hasler and Süsstrunk at full size, and ``palette``, on a smaller frame."""

    info = ExtractorInfo(
        name="colour_statistics",
        version=1,
        window=1,
        preprocess=f"rgb8; rgb8-short{SHORT_SIDE}-area-lab8",
        summary="colourfulness and distribution of L*, a*, b* of each frame",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``colourfulness`` (B,) float64 and ``palette`` (B, 3, 32) float32, in units of CIE Lab."""
        frames = batch.frames[:, 0]
        return {
            "colourfulness": np.array([colourfulness(frame) for frame in frames], np.float64),
            "palette": np.stack([palette_of(working_frame(frame)) for frame in frames]).astype(np.float32),
        }
