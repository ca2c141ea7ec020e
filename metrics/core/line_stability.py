"""How well the lines of a drawing keep from frame to frame when motion is taken out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.core.flow_magnitude import flow_obstacle
from anisora.metrics.core.warping_error import Correspondence, returning_pixels
from anisora.metrics.scoring import scored, unscored

__all__ = ["LINE_WIDTH", "LineStability", "concordance", "line_strength", "pair_line_stability"]

LINE_WIDTH: Final = 5
"""Side in pixels of the square that dark lines are narrower than."""


def line_strength(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much darker each pixel is than what it is drawn on: the black top-hat.

    The closing with a square of 5 pixels (greatest value of the square's places, then the least) less the plane; what
    is dark and narrower than the square is left. Outside the frame there is nothing to compare with.

    Args:
        luma: (H, W) uint8.

    Returns:
        (H, W) uint8, 0 where there is no line.
    """
    import cv2

    square = np.ones((LINE_WIDTH, LINE_WIDTH), np.uint8)
    return np.asarray(cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, square), np.uint8)


def concordance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return how far two samples agree, value by value (Lin 1989).

    ``2 s_ab / (s_a^2 + s_b^2 + (mean a - mean b)^2)``, moments of the population: 1 for equal samples, 0 for unrelated
    ones. Correlation alone would not notice that lines grow fainter.

    Args:
        first: (n,)
        second: (n,)

    Returns:
        -1..1, NaN if the samples are one and the same number, or empty.
    """
    if not len(first):
        return float("nan")
    gap = float(first.mean() - second.mean())
    spread = float(first.var() + second.var()) + gap * gap
    shared = float(((first - first.mean()) * (second - second.mean())).mean())
    return 2.0 * shared / spread if spread else float("nan")


def pair_line_stability(first: NDArray[np.uint8], second: NDArray[np.uint8], pair: Correspondence) -> float:
    """Return how far the lines of two planes are the same lines, moved.

    The lines of the second plane are warped to the first, and their concordance is taken over the pixels that can be
    followed: the flow stays inside the frame, and going there and back returns (Ruder et al. 2016, eq. 5). Pixels at
    motion boundaries stay, since outlines are there.

    Args:
        first: (H, W) uint8 luma.
        second: (H, W) uint8 luma.
        pair: Of the first plane's pixels in the second, with the flow back.

    Returns:
        0..1, NaN if there is no line to follow.
    """
    followed = pair.inside & returning_pixels(pair.forward, pair.returned)
    (found,) = pair.fetch(line_strength(second)[None])
    agreement = concordance(line_strength(first)[followed].astype(np.float64), found[followed])
    return float(np.clip(agreement, 0.0, 1.0))


class LineStability:
    """Mean over pairs of frames of how far dark lines stay the same when motion is taken out."""

    info = MetricInfo(
        name="line_stability",
        title="Line stability",
        version=1,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="dis_flow", sampling=FrameSampling()),),
        source="this project; black top-hat of Meyer 1979, concordance of Lin 1989, Biometrics 45(1)",
        min_frames=2,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has each pair, NaN where no line can be followed.

        Returns:
            Value in 0..1, or None for tiny frames or a clip without lines.
        """
        stream = features.stream(item)
        request = self.info.requests[0]
        flow = features.get(item, request.extractor, request.sampling)
        if reason := flow_obstacle(flow["displacement"], stream.height, stream.width):
            return unscored(item, reason)
        pairs = flow["line_stability"]
        usable = pairs[~np.isnan(pairs)]
        if not len(usable):
            return unscored(item, "no dark line can be followed from any frame to the next; the metric is for line art")
        note = "" if len(usable) == len(pairs) else f"{len(usable)} of {len(pairs)} pairs have lines to follow"
        return scored(item, usable.mean(), parts={"pairs": pairs.tolist()}, note=note)
