"""How much moves, and how fast."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored, unscored

__all__ = ["SMALLEST_SIDE", "FlowMagnitude", "flow_obstacle", "mean_displacement"]

SMALLEST_SIDE: Final = 32
"""Least height and width, in pixels, of frames that flow is computed for."""


def mean_displacement(flow: NDArray[np.float32]) -> float:
    """Return the mean over pixels of the flow's length, in diagonals of its own frame.

    Args:
        flow: (H, W, 2), in pixels.

    Returns:
        0 upwards.
    """
    height, width, _ = flow.shape
    lengths = np.hypot(flow[..., 0], flow[..., 1], dtype=np.float64)
    return float(lengths.mean() / np.hypot(height, width))


def flow_obstacle(displacements: Sequence[float] | NDArray[np.float64], height: int, width: int) -> str | None:
    """Return why there is no flow, or None if there is.

    Args:
        displacements: (pairs,) of `dis_flow`, NaN where the frames are too small.
        height: Of the clip.
        width: Of the clip.
    """
    if not np.isnan(displacements).any():
        return None
    return f"the frames are {width}x{height}; optical flow needs at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"


class FlowMagnitude:
    """Mean speed of all pixels, in frame diagonals per second; a held frame counts as no motion."""

    info = MetricInfo(
        name="flow_magnitude",
        title="Flow magnitude",
        version=1,
        direction="reference",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="dis_flow", sampling=FrameSampling()),),
        source="this project; flow of Kroeger et al. 2016, arXiv 1603.03590",
        min_frames=2,
        unit="diagonals/s",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has the speed in each pair of frames.

        Returns:
            Value from 0 upwards in diagonals per second, or None for tiny frames.
        """
        stream = features.stream(item)
        request = self.info.requests[0]
        displacements = features.get(item, request.extractor, request.sampling)["displacement"]
        if reason := flow_obstacle(displacements, stream.height, stream.width):
            return unscored(item, reason)
        speeds = displacements * stream.fps
        return scored(item, speeds.mean(), parts={"pairs": speeds.tolist()})
