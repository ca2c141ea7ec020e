"""How much moves where nothing should."""

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.core.region_motion_ratio import region_obstacle
from anisora.metrics.scoring import scored, unscored

__all__ = ["RegionLeakage"]


class RegionLeakage:
    """Mean speed of the pixels outside the region, without the camera's motion."""

    info = MetricInfo(
        name="region_leakage",
        title="Region leakage",
        version=1,
        direction="lower",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="region_motion", sampling=FrameSampling()),),
        source="this project; flow of Kroeger et al. 2016, arXiv 1603.03590",
        needs=frozenset({"region_mask"}),
        min_frames=2,
        unit="diagonals/s",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has each pair.

        Returns:
            Value from 0 upwards; None for a mask without inside or outside, or tiny frames.
        """
        stream = features.stream(item)
        request = self.info.requests[0]
        motion = features.get(item, request.extractor, request.sampling)
        if reason := region_obstacle(motion, stream):
            return unscored(item, reason)
        speeds = motion["outside"] * stream.fps
        return scored(item, speeds.mean(), parts={"pairs": speeds.tolist()})
