"""How much fine detail frames have: the variance of their Laplacian."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["Sharpness", "laplacian_variance"]


def laplacian_variance(luma: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of one plane (LAPV of Pech-Pacheco et al. 2000, on signed values).

    The Laplacian is ``[[0, 1, 0], [1, -4, 1], [0, 1, 0]]``, the border mirrored without repeating the edge
    pixel, the variance that of the population. All sums are exact integers.

    Args:
        luma: (H, W) uint8.

    Returns:
        0 upwards, in squared levels.
    """
    import cv2

    edges = cv2.Laplacian(luma, cv2.CV_16S, ksize=1)
    total = round(cv2.sumElems(edges)[0])
    squares = round(cv2.norm(edges, cv2.NORM_L2SQR))
    return float(Fraction(edges.size * squares - total * total, edges.size**2))


class Sharpness:
    """Mean over frames of the variance of the Laplacian of the luma."""

    info = MetricInfo(
        name="sharpness",
        title="Sharpness",
        version=1,
        direction="reference",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="frame_statistics", sampling=FrameSampling()),),
        source="Pech-Pacheco et al. 2000, ICPR 3, LAPV; signed as LAP4 of Pertuz et al. 2013",
        unit="squared levels",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame.

        Returns:
            Value from 0 upwards, in squared levels of 0..255.
        """
        request = self.info.requests[0]
        frames = features.get(item, request.extractor, request.sampling)["laplacian_variance"]
        return scored(item, frames.mean(), parts={"frames": frames.tolist()})
