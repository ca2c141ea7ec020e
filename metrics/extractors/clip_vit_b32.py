"""CLIP ViT-B/32's features of frames."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, Recipe
from anisora.metrics.networks.clip import WEIGHTS, ClipImageTower

__all__ = ["DISTRIBUTIONS", "RECIPE", "ClipVitB32"]

TOWER: Final = "ViT-B/32"
DISTRIBUTIONS: Final = ("torch", "open_clip_torch")
RECIPE: Final = Recipe(resize="short", side=224, crop=224, mean=CLIP_MEAN, std=CLIP_STD)
"""VBench's ``clip_transform(224)``: bicubic without antialiasing or clamping, the middle 224."""


class ClipVitB32:
    """Per frame: ``embedding``, the projected class token."""

    info = ExtractorInfo(
        name="clip_vit_b32",
        version=1,
        window=1,
        batch_size=2,
        shares_batches=True,
        preprocess=RECIPE.id,
        weights=(WEIGHTS[TOWER],),
        extra="models",
        distributions=DISTRIBUTIONS,
        summary="CLIP ViT-B/32 features of each frame",
    )

    def __init__(self, *, network: ClipImageTower | None = None) -> None:
        """Take a network in place of the ledger's."""
        self._network = network

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, 512) float32."""
        require_extra(self.info)
        network = self._network or shared_network("clip-vit-b32", lambda: ClipImageTower(TOWER), self.info.weights)
        return {"embedding": np.asarray(network(RECIPE(batch.frames[:, 0])).numpy())}
