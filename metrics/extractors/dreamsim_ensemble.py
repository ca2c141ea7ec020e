"""DreamSim's embeddings of frames."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.transforms import Recipe, antialiased
from anisora.metrics.networks.dino import WEIGHTS as DINO_WEIGHTS
from anisora.metrics.networks.dreamsim import WEIGHTS, DreamSim

__all__ = ["ALL_WEIGHTS", "DISTRIBUTIONS", "DreamsimEnsemble", "squashed_recipe"]

DISTRIBUTIONS: Final = ("torch", "timm")
ALL_WEIGHTS: Final = (WEIGHTS, DINO_WEIGHTS)


def squashed_recipe(variant: str) -> Recipe:
    """VBench-I2V's ``dreamsim_transform``: 224x224 bicubic, squashed; antialiasing by torchvision's default."""
    return Recipe(resize="exact", side=224, antialias=antialiased(variant))


class DreamsimEnsemble:
    """Per frame: ``embedding``, of mean 0 and length 1."""

    def __init__(self, resize: str = "tv017", *, network: DreamSim | None = None) -> None:
        """Choose the recipe.

        Args:
            resize: ``tv017`` or ``legacy``.
            network: A network in place of the ledger's.

        Raises:
            ConfigError: The word is neither.
        """
        self._recipe = squashed_recipe(resize)
        self._network = network
        self.info = ExtractorInfo(
            name="dreamsim_ensemble",
            version=1,
            window=1,
            batch_size=2,
            shares_batches=True,
            preprocess=self._recipe.id,
            weights=ALL_WEIGHTS,
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="DreamSim ensemble embeddings of each frame",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, 1792) float32, of mean 0 and length 1."""
        require_extra(self.info)
        network = self._network or shared_network("dreamsim-ensemble", DreamSim, ALL_WEIGHTS)
        return {"embedding": np.asarray(network(self._recipe(batch.frames[:, 0])).numpy())}
