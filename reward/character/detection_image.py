"""The conditioning image as the detector sees it: scaled to cover the frames of the clip, and cut to their size.

Boxes in it are boxes in frame 0, as far as the clip starts with its conditioning image.

Reference: reward/character/samurai/samurai_with_gdino_t2v.py (resize_for_rectangle_crop, mode "center").
"""

import numpy as np

from anisora.harness.errors import MetricError
from anisora.harness.types import Frames

__all__ = ["cover_size", "detection_image"]


def cover_size(image: tuple[int, int], frame: tuple[int, int]) -> tuple[int, int]:
    """Return the size at which an image covers a frame and keeps its shape.

    One side is the frame's, the other is rounded down, which never makes it shorter than the frame's.

    Args:
        image: (height, width), pixels.
        frame: (height, width), pixels.

    Example:
        >>> cover_size((1080, 1920), (480, 832))
        (480, 853)
    """
    height, width = image
    if width / height > frame[1] / frame[0]:
        return frame[0], int(width * frame[0] / height)
    return int(height * frame[1] / width), frame[1]


def detection_image(image: Frames, height: int, width: int) -> Frames:
    """Scale an image to cover a frame, and cut the frame's size from its middle.

    Bicubic and antialiased, then rounded to whole levels, as torchvision scales tensors of uint8 since version 0.17. An
    odd pixel that is cut goes off at the right or below.

    Args:
        image: (h, w, 3) RGB.
        height: Of the clip's frames, pixels.
        width: Of the clip's frames, pixels.

    Returns:
        (height, width, 3) RGB.

    Raises:
        MetricError: The shape is another, or the frame has no pixels.
    """
    import torch

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or min(height, width) < 1:
        raise MetricError(
            f"`image` is {image.dtype} of shape {image.shape} for frames of {width}x{height}; expected uint8 (h, w, 3) "
            "and at least one pixel."
        )
    size = cover_size((image.shape[0], image.shape[1]), (height, width))
    covering = image
    if size != image.shape[:2]:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(torch.float32)
        scaled = torch.nn.functional.interpolate(pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
        covering = scaled.clamp(0, 255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return np.ascontiguousarray(covering[top : top + height, left : left + width])
