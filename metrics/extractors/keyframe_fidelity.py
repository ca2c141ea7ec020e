"""Conditioning images against the frames at their positions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.metrics.core.psnr import peak_signal_to_noise
from anisora.metrics.core.ssim import structural_similarity
from anisora.metrics.extractors.frame_fidelity import mean_squared_error

__all__ = ["KeyframeFidelity"]


class KeyframeFidelity:
    """Per frame and conditioning image: ``ssim`` and ``psnr`` (dB), NaN where the two do not belong together.

    An image at position p belongs to frame ``p * (frames - 1)``, rounded to the nearest, halves to even;
    several may belong to one.
    """

    info = ExtractorInfo(
        name="keyframe_fidelity",
        version=1,
        window=1,
        preprocess="rgb8-image-cover-area-cubic-centre",
        needs=frozenset({"keyframes"}),
        summary="SSIM and PSNR of each conditioning image and the frame at its position",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``ssim`` and ``psnr``, both (B, images) float64."""
        positions = np.array([position for position, _ in batch.images], np.float64)
        places = np.rint(positions * (batch.stream.num_frames - 1)).astype(np.int64)
        similarity = np.full((len(batch.frames), len(places)), np.nan)
        errors = np.full_like(similarity, np.nan)
        for row, column in np.argwhere(batch.indices[:, :1] == places[None]).tolist():
            frame = batch.frames[row, 0]
            image = cover_crop(batch.images[column][1], frame.shape[0], frame.shape[1])
            similarity[row, column] = structural_similarity(frame, image)
            errors[row, column] = mean_squared_error(frame, image)
        return {"ssim": similarity, "psnr": peak_signal_to_noise(errors)}
