"""How alike a clip's pictures stay from one sampled frame to the next."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.local.picture_embedding import cosine_similarity
from anisora.metrics.scoring import scored

__all__ = ["FeatureConsistency", "consecutive_similarity"]


def consecutive_similarity(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosine of each sampled frame's features and the next one's.

    Args:
        embeddings: (frames, dimensions), at least two frames.

    Returns:
        (frames - 1,), -1..1; 1 for equal frames.
    """
    return np.array([cosine_similarity(first, second) for first, second in pairwise(embeddings)], np.float64)


class FeatureConsistency:
    """Mean cosine of the features of consecutive sampled frames: lower where what is shown changes."""

    info = MetricInfo(
        name="feature_consistency",
        title="Feature consistency",
        version=1,
        direction="higher",
        value_range=(-1.0, 1.0),
        requests=(FeatureRequest(extractor="efficientnet_lite0", sampling=FrameSampling(mode="uniform", count=16)),),
        source="this project; the form of a subject consistency, on features of EfficientNet-Lite0",
        group="local",
        min_frames=2,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has the similarity of each pair.

        Returns:
            Value in -1..1.
        """
        request = self.info.requests[0]
        pairs = consecutive_similarity(features.get(item, request.extractor, request.sampling)["embedding"])
        return scored(item, pairs.mean(), parts={"pairs": pairs.tolist()})
