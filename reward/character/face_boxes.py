"""Boxes of figures around the anime faces of a picture, where GroundingDINO's weights are not at hand.

A face tells where its figure is only roughly: the box is widened by fixed factors and cut at the picture's edges. It is
a prompt for a tracker that finds the outline itself.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames
from anisora.metrics.local.face_library import FaceLibrary
from anisora.metrics.local.working_size import scaled_to

__all__ = ["ABOVE", "BELOW", "BESIDE", "LEAST_LIKELIHOOD", "FaceBoxes", "figure_boxes"]

ABOVE: Final = 0.9
"""Of the face's height, from its upper edge upwards: forehead and hair."""
BELOW: Final = 6.0
"""Of the face's height, from its lower edge downwards: a figure of about eight faces, as far as it is shown."""
BESIDE: Final = 0.5
"""Of the face's width, on either side: hair and shoulders."""
LEAST_LIKELIHOOD: Final = 0.5
_LONG_SIDE: Final = 640
_MOST_FIGURES: Final = 5

Faces = Callable[[Frames], NDArray[np.float32]]
"""From (H, W, 3) RGB to (faces, 5): left, top, width, height in pixels, likelihood 0..1; the likeliest first."""


class FaceBoxes:
    """A ``CharacterDetector`` that knows faces alone: up to five figures, the likeliest face first."""

    def __init__(self, faces: Faces | None = None) -> None:
        """Take a face detector in place of the animeface library."""
        self._faces = faces or FaceLibrary()

    def boxes(self, image: Frames) -> NDArray[np.float64]:
        """Find figures.

        Args:
            image: (H, W, 3) RGB; looked at with a long side of 640 pixels.

        Returns:
            (n, 4) left, top, right, bottom in pixels of the image; n is 0 to 5.

        Raises:
            WeightsMissing: The library is absent or not the ledger's.
        """
        seen = scaled_to(image, _LONG_SIDE)
        found = np.asarray(self._faces(seen), np.float64).reshape(-1, 5)
        likely = found[found[:, 4] >= LEAST_LIKELIHOOD][:_MOST_FIGURES]
        (height, width), (rows, columns) = image.shape[:2], seen.shape[:2]
        scale = np.array([width / columns, height / rows] * 2)
        return figure_boxes(likely[:, :4] * scale, height, width)


def figure_boxes(faces: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Widen boxes of faces to boxes of figures.

    Args:
        faces: (n, 4) left, top, width, height, pixels.
        height: Of the picture, pixels.
        width: Of the picture, pixels.

    Returns:
        (n, 4) left, top, right, bottom, cut at the edges of the picture.
    """
    left, top, wide, high = faces.T
    boxes = np.stack(
        [left - BESIDE * wide, top - ABOVE * high, left + (1 + BESIDE) * wide, top + (1 + BELOW) * high], axis=1
    )
    return np.asarray(np.clip(boxes, 0, (width, height, width, height)))
