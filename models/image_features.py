"""The first image as Wan 2.1's networks see it through CLIP: stretched to a square, not cropped.

Reference: anisoraV2_gpu/wan/modules/clip.py (CLIPModel.visual): bicubic without antialiasing, the layer before the
last, all tokens.
"""

from typing import TYPE_CHECKING, Any, Final

from anisora.models.placement import Placement

if TYPE_CHECKING:
    import torch

__all__ = ["CLIP_MEAN", "CLIP_STD", "clip_pixels", "image_features"]

CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)


def clip_pixels(image: "torch.Tensor", size: int) -> "torch.Tensor":
    """Return an image as CLIP takes it.

    Args:
        image: (3, H, W) in 0 to 1.
        size: Side of the square, pixels.

    Returns:
        (1, 3, size, size), normalised.
    """
    from torch.nn.functional import interpolate

    # The reference stretches in -1 to 1; the weights of bicubic interpolation sum to 1, so the range does not matter.
    square = interpolate(image.float()[None], size=(size, size), mode="bicubic", align_corners=False)
    mean = square.new_tensor(CLIP_MEAN).view(1, 3, 1, 1)
    return (square - mean) / square.new_tensor(CLIP_STD).view(1, 3, 1, 1)


def image_features(image: "torch.Tensor", module: Any, placement: Placement) -> "torch.Tensor":  # noqa: ANN401
    """Return the tokens of an image.

    Args:
        image: (3, H, W) in 0 to 1.
        module: transformers' CLIPVisionModel.
        placement: Where it computes.

    Returns:
        (1, tokens, dim) in the module's number format, from the layer before the last.
    """
    import torch

    network = placement.ready(module)
    pixels = clip_pixels(image, network.config.image_size).to(placement.torch_device, network.dtype)
    with torch.inference_mode():
        tokens: torch.Tensor = network(pixels, output_hidden_states=True).hidden_states[-2]
    return tokens
