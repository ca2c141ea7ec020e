"""How sure ActionCLIP is that the protagonist moves a lot: the motion score of the anime reward."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["SCALE", "MotionScore", "first_text_probability"]

SCALE: Final = 100.0
"""What cosines are multiplied by: a constant of the reference, not the ``logit_scale`` of the checkpoint."""


def first_text_probability(cosine: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the softmax of 100 times the cosines, for the first text.

    Args:
        cosine: (..., texts) of a clip to each text.

    Returns:
        (...), 0..1.
    """
    logits = SCALE * np.asarray(cosine, np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers[..., 0] / powers.sum(axis=-1))


class MotionScore:
    """Probability of the text on large movement, against that on none."""

    info = MetricInfo(
        name="motion_score",
        title="Motion score",
        version=1,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="actionclip", sampling=FrameSampling(mode="reward_motion")),),
        source="AniSora, reward/reward_infer.py, motion_score",
        group="vbench",
        min_frames=2,
        licence="Apache-2.0 with the Index-AniSora Model License Agreement",
        commercial_use=False,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["cosine"]`` has the similarity to the text on large movement and to that on none.

        Returns:
            Value in 0..1.
        """
        request = self.info.requests[0]
        cosine = features.get(item, request.extractor, request.sampling)["cosine"][0]
        return scored(item, float(first_text_probability(cosine)), parts={"cosine": cosine.tolist()})
