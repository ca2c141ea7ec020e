"""How little consecutive frames differ, pixel by pixel (VBench)."""

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["TemporalFlickering", "stability"]


def stability(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn mean absolute differences of consecutive frames into VBench's scale.

    ``(255 - d) / 255``: 1 for equal frames, 0 for black followed by white. The clip's score is this of the
    mean difference, which is the mean of this over the pairs.

    Args:
        differences: (pairs,) mean over pixels and channels of ``|a - b|``, 0..255.

    Returns:
        (pairs,) in 0..1.
    """
    return (255.0 - differences) / 255.0


class TemporalFlickering:
    """VBench's temporal flickering: high when neighbouring frames look alike."""

    info = MetricInfo(
        name="temporal_flickering",
        title="Temporal flickering",
        version=1,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="temporal_difference", sampling=FrameSampling()),),
        source="VBench, vbench/temporal_flickering.py, compute_temporal_flickering",
        min_frames=2,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has each pair of frames.

        Returns:
            Value in 0..1.
        """
        request = self.info.requests[0]
        differences = features.get(item, request.extractor, request.sampling)["mean_absolute"]
        value = stability(np.asarray(differences.mean(dtype=np.float64)))
        return scored(item, float(value), parts={"pairs": stability(differences).tolist()})
