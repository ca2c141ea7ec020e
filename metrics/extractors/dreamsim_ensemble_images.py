"""DreamSim's embeddings of conditioning images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.extractors.dreamsim_ensemble import ALL_WEIGHTS, DISTRIBUTIONS, squashed_recipe
from anisora.metrics.networks.dreamsim import DreamSim

__all__ = ["DreamsimEnsembleImages"]


class DreamsimEnsembleImages:
    """Per clip: ``embedding`` of each conditioning image, resized as Pillow resizes.

    Apart from the frames' extractor, so that frames with equal pixels go on being computed once.
    """

    def __init__(self, *, network: DreamSim | None = None) -> None:
        """Take a network in place of the ledger's."""
        # Pillow always antialiases: the variants of the frames' recipe are one for pictures.
        self._recipe = squashed_recipe("tv017")
        self._network = network
        self.info = ExtractorInfo(
            name="dreamsim_ensemble_images",
            version=1,
            window=1,
            preprocess=f"pillow-{self._recipe.id}",
            needs=frozenset({"keyframes"}),
            reads="inputs",
            weights=ALL_WEIGHTS,
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="DreamSim ensemble embeddings of each conditioning image",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, images, 1792) float32, the same in each row."""
        require_extra(self.info)
        network = self._network or shared_network("dreamsim-ensemble", DreamSim, ALL_WEIGHTS)
        rows = np.zeros((len(batch.images), network.architecture.dimensions), np.float32)
        for place, (_, image) in enumerate(batch.images):
            rows[place] = network(self._recipe.picture(image)).numpy()[0]
        return {"embedding": np.stack([rows] * len(batch.frames))}
