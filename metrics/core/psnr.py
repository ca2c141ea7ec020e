"""Peak signal-to-noise ratio against the ground truth."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.ground_truth import compare
from anisora.metrics.scoring import scored, unscored

__all__ = ["PSNR_CAP_DB", "Psnr", "peak_signal_to_noise"]

PSNR_CAP_DB: Final = 100.0
"""What identical frames score, and the most any frame can: without a cap one identical frame makes the mean
infinite."""


def peak_signal_to_noise(mean_squared_error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn mean squared errors into decibels.

    ``10 log10(255^2 / mse)``, at most PSNR_CAP_DB.

    Args:
        mean_squared_error: (frames,) mean over pixels and channels of ``(a - b)^2``, in squared levels of
            0..255.

    Returns:
        (frames,) in dB, 0..100; NaN stays NaN.
    """
    # The smallest error that is not capped; an error of 0 never reaches the logarithm.
    floor = 255.0**2 / 10.0 ** (PSNR_CAP_DB / 10.0)
    decibels = 10.0 * np.log10(255.0**2 / np.maximum(mean_squared_error, floor))
    capped: NDArray[np.float64] = np.minimum(decibels, PSNR_CAP_DB)
    return capped


class Psnr:
    """Mean over frames of the PSNR over RGB, against the ground truth at the same frame."""

    info = MetricInfo(
        name="psnr",
        title="PSNR",
        version=1,
        direction="higher",
        value_range=(0.0, PSNR_CAP_DB),
        requests=(FeatureRequest(extractor="frame_fidelity", sampling=FrameSampling()),),
        source="Huynh-Thu and Ghanbari 2008, Electronics Letters 44(13); per frame over RGB",
        needs=frozenset({"ground_truth"}),
        unit="dB",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each compared frame.

        Returns:
            Value in dB, or None where size or frame rate differ from the ground truth's.
        """
        request = self.info.requests[0]
        fidelity = features.get(item, request.extractor, request.sampling)
        comparison = compare(fidelity, features.stream(item))
        if comparison.obstacle:
            return unscored(item, comparison.obstacle)
        frames = peak_signal_to_noise(fidelity["mean_squared_error"])
        return scored(item, frames.mean(), parts={"frames": frames.tolist()}, note=comparison.note)
