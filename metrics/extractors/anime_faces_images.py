"""Faces in conditioning images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.metrics.local.face_finder import DISTRIBUTIONS, PREPROCESS, WEIGHTS, FaceFinder

__all__ = ["AnimeFacesImages"]


class AnimeFacesImages:
    """Per clip: ``boxes``, ``likelihood`` and ``embedding`` of each conditioning image, cut to the frames' shape."""

    info = ExtractorInfo(
        name="anime_faces_images",
        version=2,
        window=1,
        preprocess=f"image-cover-area-cubic-centre-{PREPROCESS}",
        needs=frozenset({"keyframes"}),
        reads="inputs",
        weights=WEIGHTS,
        extra="local",
        copied_per_worker=True,
        distributions=DISTRIBUTIONS,
        summary="anime faces in each conditioning image: place, likelihood, features of the crop",
    )

    def __init__(self) -> None:
        self._find = FaceFinder()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``boxes`` (B, images, 4, 4), ``likelihood`` and ``embedding``, the same in each row."""
        require_extra(self.info)
        height, width = batch.frames.shape[2:4]
        images = [self._find(cover_crop(image, height, width)) for _, image in batch.images]
        joined = {name: np.stack([image[name] for image in images]) for name in images[0]}
        return {name: np.repeat(rows[None], len(batch.frames), axis=0) for name, rows in joined.items()}
