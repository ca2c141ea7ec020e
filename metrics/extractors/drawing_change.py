"""How much a drawing changes from one frame to the next, where it changes most."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.core.held_frame_ratio import largest_cell_difference
from anisora.metrics.extractors.dis_flow import luma_of

__all__ = ["SHORT_SIDE", "DrawingChange"]

SHORT_SIDE: Final = 144
"""Short side of the luma planes that are compared; it averages grain and coding noise of larger frames away."""


class DrawingChange:
    """Per pair of frames: ``largest_cell``, the mean absolute luma difference of the cell that differs most."""

    info = ExtractorInfo(
        name="drawing_change",
        version=1,
        window=2,
        preprocess=f"luma8-bt601-short{SHORT_SIDE}-area",
        summary="luma difference of consecutive frames in the cell where it is largest",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``largest_cell`` (B,) float64, 0..255."""
        cells = [largest_cell_difference(_plane(first), _plane(second)) for first, second in batch.frames]
        return {"largest_cell": np.array(cells, np.float64)}


def _plane(frame: Frames) -> NDArray[np.uint8]:
    import cv2

    luma = luma_of(frame)
    scale = SHORT_SIDE / min(luma.shape)
    if scale >= 1:
        return luma
    size = (round(luma.shape[1] * scale), round(luma.shape[0] * scale))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
