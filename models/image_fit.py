"""Images fitted to a clip's size without stretching them.

Reference: anisoraV1_infer/scripts/cogvideox/fastercache_sample_cogvideox_sp.py (resize_for_rectangle_crop).
"""

from typing import TYPE_CHECKING

from anisora.harness.types import Frames

if TYPE_CHECKING:
    import torch

__all__ = ["covering"]


def covering(image: Frames, height: int, width: int) -> "torch.Tensor":
    """Return an image that covers a size, its middle cut out.

    It is enlarged or reduced, with bicubic weights and antialiasing, until its shorter side fits.

    Args:
        image: (h, w, 3) uint8.
        height: Wanted, pixels.
        width: The same.

    Returns:
        (3, height, width) float32 in 0 to 1, apart from the overshoot of the weights.
    """
    import torch
    from torch.nn.functional import interpolate

    pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255.0
    rows, columns = image.shape[:2]
    # The side that is short for the size decides; the other one is cut.
    if columns / rows > width / height:
        size = (height, int(columns * height / rows))
    else:
        size = (int(rows * width / columns), width)
    size = (max(size[0], height), max(size[1], width))
    resized = interpolate(pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return resized[0, :, top : top + height, left : left + width]
