"""Lines of text in conditioning images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.metrics.local.text_reader import DISTRIBUTIONS, PREPROCESS, WEIGHTS, TextReader

__all__ = ["RapidOcrImages"]


class RapidOcrImages:
    """Per clip: ``quads``, ``confidence`` and ``codepoints`` of each conditioning image, cut to the frames' shape."""

    info = ExtractorInfo(
        name="rapid_ocr_images",
        version=1,
        window=1,
        preprocess=f"image-cover-area-cubic-centre-{PREPROCESS}",
        needs=frozenset({"keyframes"}),
        reads="inputs",
        weights=(WEIGHTS,),
        extra="local",
        copied_per_worker=True,
        distributions=DISTRIBUTIONS,
        summary="lines of text in each conditioning image: place, characters, confidence",
    )

    def __init__(self) -> None:
        self._read = TextReader()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``quads`` (B, images, 16, 4, 2), ``confidence`` and ``codepoints``, the same in each row."""
        require_extra(self.info)
        height, width = batch.frames.shape[2:4]
        images = [self._read(cover_crop(image, height, width)) for _, image in batch.images]
        stacked = {name: np.stack([image[name] for image in images]) for name in images[0]}
        return {name: np.stack([rows] * len(batch.frames)) for name, rows in stacked.items()}
