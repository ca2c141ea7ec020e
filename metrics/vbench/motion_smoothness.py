"""Whether motion goes on as its neighbours let expect, by frame interpolation (VBench)."""

import numpy as np

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored, unscored

__all__ = ["MotionSmoothness"]

_SMALLEST_SIDE = 128


class MotionSmoothness:
    """How near every second frame is to what AMT-S draws in its place."""

    info = MetricInfo(
        name="motion_smoothness",
        title="Motion smoothness",
        version=1,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="amt_s", sampling=FrameSampling()),),
        source="VBench, vbench/motion_smoothness.py, MotionSmoothness.motion_score",
        group="vbench",
        min_frames=3,
        licence="CC-BY-NC-4.0",
        commercial_use=False,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame that was drawn, on the same scale.

        Returns:
            Value in 0..1, or None where the padded frames have a side below 128 pixels.
        """
        stream = features.stream(item)
        if min(side + -side % 16 for side in (stream.height, stream.width)) < _SMALLEST_SIDE:
            return unscored(
                item, f"frames are {stream.width}x{stream.height}; AMT needs sides of {_SMALLEST_SIDE} pixels or more"
            )
        request = self.info.requests[0]
        errors = features.get(item, request.extractor, request.sampling)["mean_absolute"]
        frames = (255.0 - np.asarray(errors, np.float64)) / 255.0
        return scored(item, frames.mean(), parts={"frames": frames.tolist()})
