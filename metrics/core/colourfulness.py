"""How colourful frames are (Hasler and Süsstrunk 2003)."""

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import Frames, FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["Colourfulness", "colourfulness"]


def colourfulness(frame: Frames) -> float:
    """Return M of one frame (Hasler and Süsstrunk 2003, eq. for M^(3)).

    With ``rg = R - G`` and ``yb = (R + G) / 2 - B``, ``M = sqrt(var rg + var yb) + 0.3 sqrt(mean(rg)^2 +
    mean(yb)^2)``, variances of the population, from exact integer sums.

    Args:
        frame: (H, W, 3) uint8.

    Returns:
        0 upwards: 0 for grey, about 15 slightly, 45 quite, 109 extremely colourful.
    """
    red, green, blue = np.moveaxis(frame.astype(np.int16), 2, 0)
    spread = centre = Fraction(0)
    # The second plane is twice yb, so that it is of integers; its moments are divided by 4.
    for plane, unit in ((red - green, 1), (red + green - 2 * blue, 4)):
        mean, variance = _moments(plane)
        spread += variance / unit
        centre += mean * mean / unit
    return sqrt(spread) + 0.3 * sqrt(centre)


def _moments(plane: NDArray[Any]) -> tuple[Fraction, Fraction]:
    """Return mean and population variance of an int16 plane, exactly."""
    import cv2

    plane = np.ascontiguousarray(plane)
    total, squares = round(cv2.sumElems(plane)[0]), round(cv2.norm(plane, cv2.NORM_L2SQR))
    return Fraction(total, plane.size), Fraction(plane.size * squares - total * total, plane.size**2)


class Colourfulness:
    """Mean over frames of Hasler and Süsstrunk's M."""

    info = MetricInfo(
        name="colourfulness",
        title="Colourfulness",
        version=1,
        direction="reference",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="colour_statistics", sampling=FrameSampling()),),
        source="Hasler and Süsstrunk 2003, Proc. SPIE 5007, M^(3)",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame.

        Returns:
            Value from 0 upwards.
        """
        request = self.info.requests[0]
        frames = features.get(item, request.extractor, request.sampling)["colourfulness"]
        return scored(item, frames.mean(), parts={"frames": frames.tolist()})
