"""How much people are expected to like the frames (VBench)."""

import numpy as np

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["AestheticQuality"]


class AestheticQuality:
    """Mean of LAION's linear aesthetic predictor over the frames, by 10."""

    info = MetricInfo(
        name="aesthetic_quality",
        title="Aesthetic quality",
        version=1,
        direction="higher",
        value_range=(-np.inf, np.inf),
        requests=(FeatureRequest(extractor="laion_aesthetic", sampling=FrameSampling()),),
        source="VBench, vbench/aesthetic_quality.py, laion_aesthetic",
        group="vbench",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame.

        Returns:
            Value of about 0..1; the predictor is linear and has no bounds.
        """
        request = self.info.requests[0]
        frames = features.get(item, request.extractor, request.sampling)["score"].astype(np.float64) / 10
        return scored(item, frames.mean(), parts={"frames": frames.tolist()})
