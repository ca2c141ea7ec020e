"""A tracker without a network: what the box shows in the first frame, it shows in every frame.

For clips in which characters stay in their place, and for machines without SAM's weights. The crops have the background
inside the box with them, and a character that walks out of its box is lost without a sign: scores are comparable among
clips scored by this tracker alone.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anisora.harness.errors import MetricError
from anisora.harness.types import Frames

__all__ = ["BoxMasks"]


class BoxMasks:
    """Each box, as it is, in all frames."""

    def label_map(self, frames: Frames, boxes: ArrayLike) -> NDArray[np.uint16]:
        """Fill the boxes with their numbers.

        Args:
            frames: (T, H, W, 3).
            boxes: (n, 4) left, top, right, bottom in pixels; edges are rounded, and cut at the frame's.

        Returns:
            (T, H, W): the number of the box, from 1, of the later one where two overlap; 0 elsewhere.

        Raises:
            MetricError: A shape is another, or a number is not finite.
        """
        places = np.asarray(boxes, np.float64)
        if frames.ndim != 4 or places.ndim != 2 or places.shape[1] != 4 or not np.isfinite(places).all():
            raise MetricError(
                f"`frames` has shape {frames.shape} and `boxes` is {places.tolist()}; expected (T, H, W, 3) and (n, 4) "
                "finite numbers."
            )
        height, width = frames.shape[1:3]
        labels = np.zeros((height, width), np.uint16)
        edges = np.clip(np.rint(places), 0, (width, height, width, height)).astype(int)
        for number, (left, top, right, bottom) in enumerate(edges.tolist(), start=1):
            labels[top:bottom, left:right] = number
        return np.repeat(labels[None], len(frames), axis=0)
