"""Whether a clip shows what its prompt says, by ViCLIP (VBench)."""

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored, unscored

__all__ = ["OverallConsistency", "alignment"]


def alignment(video: NDArray[np.floating], text: NDArray[np.floating]) -> float:
    """Return the cosine of the angle between two feature vectors; 0 where one is zero.

    Args:
        video: (n,).
        text: (n,).

    Returns:
        -1..1, neither scaled nor cut at 0 (VBench, vbench/overall_consistency.py).
    """
    a, b = np.asarray(video, np.float64), np.asarray(text, np.float64)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / lengths, -1.0, 1.0)) if lengths > 0 else 0.0


class OverallConsistency:
    """Similarity of the clip's features and the prompt's."""

    info = MetricInfo(
        name="overall_consistency",
        title="Overall consistency",
        version=1,
        direction="higher",
        value_range=(-1.0, 1.0),
        requests=(FeatureRequest(extractor="viclip", sampling=FrameSampling(mode="middle", count=8)),),
        source="VBench, vbench/overall_consistency.py, overall_consistency",
        group="vbench",
        needs=frozenset({"prompt"}),
        licence="CC-BY-NC-SA-4.0",
        commercial_use=False,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip.

        Returns:
            Value in -1..1, or None where the prompt is empty.
        """
        if not (item.sample.prompt or "").strip():
            return unscored(item, "the prompt is empty, so there is nothing to compare with; write one in the manifest")
        request = self.info.requests[0]
        found = features.get(item, request.extractor, request.sampling)
        return scored(item, alignment(found["video"][0], found["text"][0]))
