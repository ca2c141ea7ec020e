"""How much people are expected to like a frame: LAION's linear predictor on CLIP ViT-L/14."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.extractors.clip_vit_b32 import DISTRIBUTIONS, RECIPE
from anisora.metrics.networks.clip import WEIGHTS
from anisora.metrics.networks.laion_aesthetic_linear import HEAD_WEIGHTS, TOWER, AestheticPredictor

__all__ = ["LaionAesthetic"]

_WEIGHTS: Final = (WEIGHTS[TOWER], HEAD_WEIGHTS)


class LaionAesthetic:
    """Per frame: ``score``, on the predictor's scale of about 0 to 10."""

    info = ExtractorInfo(
        name="laion_aesthetic",
        version=1,
        window=1,
        batch_size=2,
        shares_batches=True,
        preprocess=RECIPE.id,
        weights=_WEIGHTS,
        extra="models",
        distributions=DISTRIBUTIONS,
        summary="LAION's linear aesthetic predictor (v1) on CLIP ViT-L/14 features of each frame",
    )

    def __init__(self, *, network: AestheticPredictor | None = None) -> None:
        """Take a network in place of the ledger's."""
        self._network = network

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``score`` (B,) float32."""
        require_extra(self.info)
        network = self._network or shared_network("laion-aesthetic", AestheticPredictor, _WEIGHTS)
        return {"score": np.asarray(network(RECIPE(batch.frames[:, 0])).numpy())}
