"""Motion inside and outside the sample's region mask."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.core.flow_magnitude import SMALLEST_SIDE
from anisora.metrics.core.region_motion_ratio import LEAST_OUTSIDE, mask_in_frame, residual_motion
from anisora.metrics.extractors.dis_flow import SHORT_SIDE, dense_flow, luma_of, working_frame

__all__ = ["MARGIN", "RegionMotion", "regions"]

MARGIN: Final = 1 / 32
"""Width, of the short side, of the belt around the region that is neither inside nor outside: flow is smooth, so that
some of the motion of a region is found around it."""


def regions(mask: NDArray[np.bool_], height: int, width: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what is inside a mask, and what is outside and clear of it, for frames of one size.

    Args:
        mask: (h, w), of any size.
        height: Of the frame.
        width: Of the frame.

    Returns:
        Two (height, width).
    """
    import cv2

    inside = mask_in_frame(mask, height, width)
    belt = round(MARGIN * min(height, width))
    square = np.ones((2 * belt + 1, 2 * belt + 1), np.uint8)
    return inside, cv2.dilate(inside.astype(np.uint8), square) == 0


class RegionMotion:
    """Flow from each frame to the next, less the camera's, inside and outside the region.

    Per pair: ``inside`` and ``outside``, the mean lengths in frame diagonals, NaN for tiny frames and where the mask
    leaves too little of either; ``inside_share`` and ``outside_share``, their pixels as shares of the frame.
    """

    info = ExtractorInfo(
        name="region_motion",
        version=1,
        window=2,
        preprocess=f"rgb8-short{SHORT_SIDE}-area-luma8-bt601-dis-medium; mask-cover-nearest-centre",
        needs=frozenset({"region_mask"}),
        summary="DIS optical flow inside and outside the region mask, the camera's motion taken out",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``inside``, ``outside``, ``inside_share`` and ``outside_share``, each (B,) float64.

        Raises:
            MetricError: The batch has no region mask.
        """
        if batch.region_mask is None:
            raise MetricError("Extractor `region_motion` got a batch without region mask; expected (h, w) bool.")
        height, width, _ = working_frame(batch.frames[0, 0]).shape
        inside, outside = regions(batch.region_mask, height, width)
        rows = np.array([_motion(first, second, inside, outside) for first, second in batch.frames], np.float64)
        size = len(batch.frames)
        return {
            "inside": rows[:, 0],
            "outside": rows[:, 1],
            "inside_share": np.full(size, inside.mean()),
            "outside_share": np.full(size, outside.mean()),
        }


def _motion(
    first: Frames, second: Frames, inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[float, float]:
    if min(first.shape[:2]) < SMALLEST_SIDE or not inside.any() or outside.mean() < LEAST_OUTSIDE:
        return float("nan"), float("nan")
    if np.array_equal(first, second):
        return 0.0, 0.0
    lumas = [luma_of(working_frame(frame)) for frame in (first, second)]
    return residual_motion(dense_flow(*lumas), inside, outside)
