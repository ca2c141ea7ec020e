"""How often a drawing is held: the share of neighbouring frames that show the same one."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["CELLS", "HELD_BELOW", "HeldFrameRatio", "held_pairs", "largest_cell_difference"]

CELLS: Final = 24
"""Cells along the short side of a frame."""

HELD_BELOW: Final = 12.0
"""Levels of 0..255 that some cell must change by on average for a frame to show a new drawing.

Rendered clips encoded with H.264 at crf 10 to 23 reach 10.2 within a hold; their new drawings start at 13.5, and 99 in
100 of them are above 34.
"""


def largest_cell_difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of two planes in the cell where it is largest.

    A plane is cut into 24 cells along its short side and ``round(24 long / short)`` along the other, or as many as
    there are pixels; cell i of n starts at pixel ``floor(i * pixels / n)``. Sums are exact integers. The largest cell
    sees a mouth that moves in a still picture, which the mean over the frame does not.

    Args:
        first: (H, W) uint8.
        second: (H, W) uint8.

    Returns:
        0..255.
    """
    import cv2

    difference = np.asarray(cv2.absdiff(first, second), np.uint8)
    height, width = difference.shape
    short = min(height, width)
    rows, columns = (_starts(side, round(CELLS * side / short)) for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(difference, rows, axis=0, dtype=np.int64), columns, axis=1)
    sizes = np.diff(rows, append=height)[:, None] * np.diff(columns, append=width)
    return float((sums / sizes).max())


def _starts(pixels: int, cells: int) -> NDArray[np.int64]:
    count = min(pixels, cells)
    return np.arange(count, dtype=np.int64) * pixels // count


def held_pairs(differences: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which pairs of consecutive frames show one drawing.

    Args:
        differences: (pairs,) of the cell that differs most, 0..255.
    """
    held: NDArray[np.bool_] = differences < HELD_BELOW
    return held


class HeldFrameRatio:
    """Share of consecutive frame pairs that show one drawing: 0.5 on twos, 1 for a still clip."""

    info = MetricInfo(
        name="held_frame_ratio",
        title="Held frames",
        version=1,
        direction="reference",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="drawing_change", sampling=FrameSampling()),),
        source="this project; threshold measured on rendered clips after H.264",
        min_frames=2,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["pairs"]`` has the largest cell difference of each pair, 0..255.

        Returns:
            Value in 0..1.
        """
        request = self.info.requests[0]
        differences = features.get(item, request.extractor, request.sampling)["largest_cell"]
        return scored(item, held_pairs(differences).mean(), parts={"pairs": differences.tolist()})
