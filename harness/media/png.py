"""Frames as PNG files: lossless pictures that every program opens."""

import numpy as np

from anisora.harness.types import Frames

__all__ = ["png_bytes"]


def png_bytes(frame: Frames) -> bytes:
    """Return the file of a frame; equal frames give equal bytes.

    Args:
        frame: (H, W, 3) uint8 RGB.
    """
    import cv2

    _, packed = cv2.imencode(".png", np.ascontiguousarray(frame[..., ::-1]))
    return packed.tobytes()
