"""DINO ViT-B/16's features of frames, by one of VBench's two recipes."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.transforms import IMAGENET_MEAN, IMAGENET_STD, Recipe, antialiased
from anisora.metrics.networks.dino import WEIGHTS, DinoVitB16

__all__ = ["DISTRIBUTIONS", "DinoVitb16", "cropped_recipe", "whole_recipe"]

DISTRIBUTIONS: Final = ("torch", "timm")


def whole_recipe() -> Recipe:
    """VBench's ``dino_transform(224)``: bilinear without antialiasing, nothing cut."""
    return Recipe(resize="short", side=224, filter="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD)


def cropped_recipe(variant: str) -> Recipe:
    """VBench-I2V's ``dino_transform_internet``: 256 bicubic, the middle 224; antialiasing by torchvision's default."""
    return Recipe(
        resize="short", side=256, antialias=antialiased(variant), crop=224, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )


class DinoVitb16:
    """Per frame: ``embedding``, the normalised class token."""

    def __init__(self, view: str = "whole", resize: str = "tv017", *, network: DinoVitB16 | None = None) -> None:
        """Choose the recipe.

        Args:
            view: ``whole`` (short side 224, subject_consistency) or ``cropped`` (256, middle 224, i2v_subject).
            resize: ``tv017`` or ``legacy``, for ``cropped``.
            network: A network in place of the ledger's.

        Raises:
            ConfigError: A word is none of these.
        """
        if view not in ("whole", "cropped"):
            raise ConfigError(f"`view` got {view!r}; expected whole or cropped.")
        self._recipe = whole_recipe() if view == "whole" else cropped_recipe(resize)
        self._network = network
        self.info = ExtractorInfo(
            name="dino_vitb16",
            version=1,
            window=1,
            batch_size=2,
            shares_batches=True,
            preprocess=self._recipe.id,
            weights=(WEIGHTS,),
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="DINO ViT-B/16 features of each frame",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, 768) float32."""
        require_extra(self.info)
        network = self._network or shared_network("dino-vitb16", DinoVitB16, (WEIGHTS,))
        return {"embedding": np.asarray(network(self._recipe(batch.frames[:, 0])).numpy())}
