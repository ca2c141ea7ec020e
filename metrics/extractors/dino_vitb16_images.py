"""DINO ViT-B/16's features of conditioning images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.extractors.dino_vitb16 import DISTRIBUTIONS, cropped_recipe
from anisora.metrics.networks.dino import DIMENSIONS, WEIGHTS, DinoVitB16

__all__ = ["DinoVitb16Images"]


class DinoVitb16Images:
    """Per clip: ``embedding``, the normalised class token of each conditioning image, resized as Pillow resizes.

    Apart from the frames' extractor, so that frames with equal pixels go on being computed once.
    """

    def __init__(self, *, network: DinoVitB16 | None = None) -> None:
        """Take a network in place of the ledger's."""
        # Pillow always antialiases: the variants of the frames' recipe are one for pictures.
        self._recipe = cropped_recipe("tv017")
        self._network = network
        self.info = ExtractorInfo(
            name="dino_vitb16_images",
            version=1,
            window=1,
            preprocess=f"pillow-{self._recipe.id}",
            needs=frozenset({"keyframes"}),
            reads="inputs",
            weights=(WEIGHTS,),
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="DINO ViT-B/16 features of each conditioning image",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, images, 768) float32, the same in each row."""
        require_extra(self.info)
        network = self._network or shared_network("dino-vitb16", DinoVitB16, (WEIGHTS,))
        rows = np.zeros((len(batch.images), DIMENSIONS), np.float32)
        for place, (_, image) in enumerate(batch.images):
            rows[place] = network(self._recipe.picture(image)).numpy()[0]
        return {"embedding": np.stack([rows] * len(batch.frames))}
