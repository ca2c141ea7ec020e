"""Pictures at the size at which detectors look."""

import numpy as np

from anisora.harness.types import Frames

__all__ = ["scaled_to"]


def scaled_to(picture: Frames, long_side: int) -> Frames:
    """Scale a picture to a long side, keeping its shape: by area when it shrinks, bicubic when it grows.

    Args:
        picture: (H, W, 3) uint8.
        long_side: In pixels.

    Returns:
        (h, w, 3) uint8; the longer of h and w is ``long_side``.
    """
    import cv2

    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    if scale == 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
