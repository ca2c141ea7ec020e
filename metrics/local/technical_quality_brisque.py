"""How far a clip's frames are from good photographs, as people rated distortions (BRISQUE)."""

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
    symmetric_gaussian,
)
from anisora.metrics.scoring import scored, unscored

__all__ = ["SMALLEST_SIDE", "SUPPORT_SIZE", "TechnicalQualityBrisque", "brisque_features", "regress"]

SMALLEST_SIDE: Final = 64
SUPPORT_SIZE: Final = 36

_LOWEST: Final = (
    *(0.336999, 0.019667, 0.230000, -0.125959, 0.000167, 0.000616, 0.231000, -0.125873, 0.000165, 0.000600),
    *(0.241000, -0.128814, 0.000179, 0.000386, 0.243000, -0.133080, 0.000182, 0.000421, 0.436998, 0.016929),
    *(0.247000, -0.200231, 0.000104, 0.000834, 0.257000, -0.200017, 0.000112, 0.000876, 0.257000, -0.155072),
    *(0.000112, 0.000356, 0.258000, -0.154374, 0.000117, 0.000351),
)
_HIGHEST: Final = (
    *(9.999411, 0.807472, 1.644021, 0.202917, 0.712384, 0.468672, 1.644021, 0.169548, 0.713132, 0.467896),
    *(1.553016, 0.101368, 0.687324, 0.533087, 1.554016, 0.101000, 0.689177, 0.533133, 3.639918, 0.800955),
    *(1.096995, 0.175286, 0.755547, 0.399270, 1.095995, 0.155928, 0.751488, 0.402398, 1.041992, 0.093209),
    *(0.623516, 0.532925, 1.042992, 0.093714, 0.621958, 0.534484),
)
"""Smallest and largest value of each feature in training, from the release; features are scaled by them to -1..1."""

_GAMMA: Final = 0.05
_RHO: Final = -155.845


def brisque_features(luma: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Return the 36 features of one plane (Mittal et al. 2012, section III).

    At full and at half size: shape and variance of the normalised contrast, then for the products of neighbours in
    four directions shape, mean, left and right variance.

    Args:
        luma: (H, W) uint8, both sides at least 64.

    Returns:
        (36,), or None for a plane too flat to have statistics.
    """
    features: list[float] = []
    plane = np.asarray(luma, np.float64)
    for each in (plane, halved(plane)):
        contrast, _ = normalised_contrast(each)
        whole = symmetric_gaussian(contrast)
        pairs = [asymmetric_gaussian(product) for product in neighbour_products(contrast)]
        if whole is None:
            return None
        features += whole
        for pair in pairs:
            if pair is None:
                return None
            features += (pair[0], pair[1], pair[2] ** 2, pair[3] ** 2)
    return np.array(features, np.float64)


def regress(features: NDArray[np.float64], vectors: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the score of a support vector regression with a radial kernel.

    ``sum of weight * exp(-0.05 |x - v|^2) + 155.845`` with the features scaled to -1..1.

    Args:
        features: (36,)
        vectors: (support vectors, 36), scaled.
        weights: (support vectors,)

    Returns:
        About 0 (good) to 100 (bad); it may leave this range.
    """
    low, high = np.array(_LOWEST), np.array(_HIGHEST)
    scaled = -1 + 2 * (features - low) / (high - low)
    distance = ((vectors - scaled) ** 2).sum(axis=1)
    return float((weights * np.exp(-_GAMMA * distance)).sum() - _RHO)


class TechnicalQualityBrisque:
    """Mean BRISQUE of the sampled frames: rises with blur, noise and blocks."""

    info = MetricInfo(
        name="technical_quality_brisque",
        title="Technical quality (BRISQUE)",
        version=1,
        direction="lower",
        value_range=(float("-inf"), float("inf")),
        requests=(FeatureRequest(extractor="brisque", sampling=FrameSampling(mode="uniform", count=16)),),
        source="Mittal, Moorthy and Bovik 2012, IEEE TIP 21(12); support vectors of the authors' release",
        group="local",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each sampled frame, NaN where it is too flat.

        Returns:
            Value mostly in 0..100, or None where no frame has statistics.
        """
        request = self.info.requests[0]
        frames = features.get(item, request.extractor, request.sampling)["brisque"]
        if np.isnan(frames).all():
            stream = features.stream(item)
            return unscored(
                item,
                f"the frames are {stream.width}x{stream.height} and flat or small; BRISQUE needs texture and "
                f"{SMALLEST_SIDE}x{SMALLEST_SIDE} pixels",
            )
        return scored(item, float(np.nanmean(frames)), parts={"frames": frames.tolist()})
