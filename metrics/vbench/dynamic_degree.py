"""Whether a clip moves much at all (VBench)."""

import numpy as np

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.networks.raft import SMALLEST_SIDE
from anisora.metrics.scoring import scored, unscored

__all__ = ["DynamicDegree", "motion_threshold", "pairs_needed"]

_RATE = 8.0
"""Sampled frames a second, about."""


def motion_threshold(height: int, width: int) -> float:
    """Return the displacement between sampled frames that counts as motion, in pixels: 6 at a short side of 256."""
    return 6.0 * min(height, width) / 256.0


def pairs_needed(sampled_frames: int) -> int:
    """Return how many pairs must move: a quarter of the frames, halves rounded to the even neighbour."""
    return round(4 * sampled_frames / 16.0)


class DynamicDegree:
    """1 where a quarter of the sampled pairs move beyond the threshold, else 0."""

    info = MetricInfo(
        name="dynamic_degree",
        title="Dynamic degree",
        version=1,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="raft_things", sampling=FrameSampling(mode="interval", fps=_RATE)),),
        source="VBench, vbench/dynamic_degree.py, DynamicDegree.infer",
        group="vbench",
        min_frames=3,
        binary=True,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has the motion of each pair in pixels.

        Returns:
            1.0 or 0.0. None where a side is below 121 pixels, for which RAFT has no number, and where fewer than three
            frames are sampled, of which VBench's rule needs no moving pair.
        """
        stream = features.stream(item)
        if min(stream.height, stream.width) < SMALLEST_SIDE:
            return unscored(
                item, f"frames are {stream.width}x{stream.height}; RAFT needs sides of {SMALLEST_SIDE} pixels or more"
            )
        request = self.info.requests[0]
        found = features.get(item, request.extractor, request.sampling)
        motion = np.asarray(found.get("largest_motion", ()), np.float64)
        if len(motion) < 2:
            return unscored(
                item, f"{len(motion) + 1} frames are sampled at about {_RATE:g} a second; at least 3 needed"
            )
        moving = int((motion > motion_threshold(stream.height, stream.width)).sum())
        return scored(item, float(moving >= pairs_needed(len(motion) + 1)), parts={"pairs": motion.tolist()})
