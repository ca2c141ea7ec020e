"""Structural similarity against the ground truth (Wang et al. 2004)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import Frames, FrameSampling, Generation, Score
from anisora.metrics.ground_truth import compare
from anisora.metrics.scoring import scored, unscored

__all__ = ["SSIM_WINDOW", "Ssim", "structural_similarity"]

SSIM_WINDOW: Final = 11
"""Side of the Gaussian window, in pixels; frames must be at least this large."""

_SIGMA = 1.5
_C1 = (0.01 * 255.0) ** 2
_C2 = (0.03 * 255.0) ** 2
_STRIP_ROWS = 32  # so that the float64 planes of a strip stay in the processor's cache
_HALO = SSIM_WINDOW // 2
_WEIGHTS = np.exp(-(np.arange(-_HALO, _HALO + 1) ** 2) / (2.0 * _SIGMA**2))
_KERNEL = _WEIGHTS / _WEIGHTS.sum()


def structural_similarity(first: Frames, second: Frames) -> float:
    """Compare two frames by the mean structural similarity index (Wang et al. 2004, eq. 13 and 17).

    Gaussian window of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, only windows that
    lie inside the frame; each of R, G and B alone, then their mean. This is scikit-image's
    ``structural_similarity`` with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=255``.

    Args:
        first: (H, W, 3) uint8.
        second: (H, W, 3) uint8.

    Returns:
        -1..1, 1 for equal frames; NaN for frames smaller than the window.
    """
    height, width, channels = first.shape
    if min(height, width) < SSIM_WINDOW:
        return float("nan")
    total = 0.0
    for top in range(0, height - 2 * _HALO, _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS + 2 * _HALO, height))
        for channel in range(channels):
            total += _summed_index(first[rows, :, channel], second[rows, :, channel])
    windows: int = (height - 2 * _HALO) * (width - 2 * _HALO) * channels
    return total / windows


def _summed_index(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the sum of the index over all windows inside two strips of one channel."""
    # float64: variances are small differences of large numbers, and float32 loses them in bright flat areas.
    a, b = first.astype(np.float64, order="C"), second.astype(np.float64, order="C")
    mean_a, mean_b = _windowed(a), _windowed(b)
    covariance = _windowed(a * b)
    np.multiply(a, a, out=a)
    np.multiply(b, b, out=b)
    a += b
    variances = _windowed(a)  # only the sum of the two variances is needed
    product = mean_a * mean_b
    squares = np.multiply(mean_a, mean_a, out=mean_a)
    squares += np.multiply(mean_b, mean_b, out=mean_b)
    covariance -= product
    variances -= squares
    # Numerator in `product`, denominator in `squares`.
    for term, constant in ((product, _C1), (covariance, _C2)):
        term *= 2.0
        term += constant
    product *= covariance
    squares += _C1
    variances += _C2
    squares *= variances
    product /= squares
    return float(product.sum())


def _windowed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian-weighted mean of each window that lies inside a plane."""
    import cv2

    smooth = np.asarray(cv2.sepFilter2D(plane, cv2.CV_64F, _KERNEL, _KERNEL), np.float64)
    return smooth[_HALO:-_HALO, _HALO:-_HALO]


class Ssim:
    """Mean over frames of the SSIM over RGB, against the ground truth at the same frame."""

    info = MetricInfo(
        name="ssim",
        title="SSIM",
        version=1,
        direction="higher",
        value_range=(-1.0, 1.0),
        requests=(FeatureRequest(extractor="frame_fidelity", sampling=FrameSampling()),),
        source="Wang et al. 2004, IEEE TIP 13(4), eq. 13 and 17",
        needs=frozenset({"ground_truth"}),
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each compared frame.

        Returns:
            Value in -1..1, or None where size or frame rate differ from the ground truth's, or the
            frames are smaller than the window.
        """
        request = self.info.requests[0]
        fidelity = features.get(item, request.extractor, request.sampling)
        stream = features.stream(item)
        comparison = compare(fidelity, stream)
        if comparison.obstacle:
            return unscored(item, comparison.obstacle)
        frames = fidelity["ssim"]
        if np.isnan(frames).any():
            return unscored(
                item,
                f"the frames are {stream.width}x{stream.height}; SSIM needs at least "
                f"{SSIM_WINDOW}x{SSIM_WINDOW} pixels",
            )
        return scored(item, frames.mean(), parts={"frames": frames.tolist()}, note=comparison.note)
