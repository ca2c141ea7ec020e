"""The features of conditioning images that EfficientNet-Lite0 sees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.metrics.extractors.efficientnet_lite0 import DISTRIBUTIONS
from anisora.metrics.local.picture_embedding import DIMENSIONS, PREPROCESS, WEIGHTS, PictureEmbedding

__all__ = ["EfficientnetLite0Images"]


class EfficientnetLite0Images:
    """Per clip: ``embedding``, the pooled last features of each conditioning image, cut to the frames' shape.

    Apart from the frames' extractor, so that frames with equal pixels go on being computed once.
    """

    info = ExtractorInfo(
        name="efficientnet_lite0_images",
        version=2,
        window=1,
        preprocess=f"image-cover-area-cubic-centre-{PREPROCESS}",
        needs=frozenset({"keyframes"}),
        reads="inputs",
        weights=(WEIGHTS,),
        extra="local",
        copied_per_worker=True,
        distributions=DISTRIBUTIONS,
        summary="pooled EfficientNet-Lite0 features of each conditioning image",
    )

    def __init__(self) -> None:
        self._embed = PictureEmbedding()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``embedding`` (B, images, 1280) float32, the same in each row."""
        require_extra(self.info)
        height, width = batch.frames.shape[2:4]
        rows = np.zeros((len(batch.images), DIMENSIONS), np.float32)
        for place, (_, image) in enumerate(batch.images):
            rows[place] = self._embed(cover_crop(image, height, width))
        return {"embedding": np.stack([rows] * len(batch.frames))}
