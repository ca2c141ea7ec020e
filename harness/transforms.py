"""Named recipes that turn decoded frames into what a network was trained on.

A recipe's id is part of the cache key and of the protocol, and names everything that can change a number, the antialias
flag included: ``torchvision.transforms`` began to antialias tensors by default in version 0.17, and scores of code that
leaves the flag to the default differ between versions by up to 2e-3. ``tv017`` means antialiased, ``legacy`` not;
recipes of code that passes the flag itself have no variant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from anisora.harness.errors import ConfigError
from anisora.harness.types import Frames

if TYPE_CHECKING:
    import torch

__all__ = ["CLIP_MEAN", "CLIP_STD", "IMAGENET_MEAN", "IMAGENET_STD", "VARIANTS", "Recipe", "Variant", "antialiased"]

Variant = Literal["tv017", "legacy"]
VARIANTS: Final[tuple[Variant, ...]] = ("tv017", "legacy")

CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


def antialiased(variant: str) -> bool:
    """Tell whether a variant antialiases where the reference leaves it to torchvision.

    Raises:
        ConfigError: It is not one of VARIANTS.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"`resize` got {variant!r}; expected one of {', '.join(VARIANTS)}.")
    return variant == "tv017"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Resize, crop, scale, normalise, in this order."""

    resize: Literal["short", "exact", "none"]
    """``short``: the short side becomes ``side``, the long one ``int(side * long / short)``. ``exact``: both do."""
    side: int = 0
    """Pixels."""
    filter: Literal["bilinear", "bicubic"] = "bicubic"
    antialias: bool = False
    rounded: bool = False
    """Clamped to 0..255 and rounded after the resize, as torchvision does with uint8 tensors."""
    crop: int | None = None
    """Side of the square cut from the middle, at ``round((size - crop) / 2)`` with halves to even; pixels."""
    mean: tuple[float, float, float] | None = None
    """Subtracted after the division by 255; None leaves 0..1."""
    std: tuple[float, float, float] | None = None

    @property
    def id(self) -> str:
        """A short stable text that names every choice, such as ``short224-bicubic-crop224-norm0.481``."""
        words = [] if self.resize == "none" else [f"{self.resize}{self.side}", self.filter]
        words += ["antialias"] * self.antialias + ["rounded"] * self.rounded
        words += [f"crop{self.crop}"] if self.crop else []
        words += [f"norm{self.mean[0]:.3f}"] if self.mean else ["unit"]
        return "-".join(words)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) after the resize, before the crop."""
        if self.resize == "none":
            return height, width
        if self.resize == "exact":
            return self.side, self.side
        short, long = min(height, width), max(height, width)
        scaled = int(self.side * long / short)
        return (self.side, scaled) if height <= width else (scaled, self.side)

    def __call__(self, frames: Frames | Sequence[Frames]) -> "torch.Tensor":
        """Turn frames into a network's input.

        Resizes as torchvision resizes tensors: pixel centres, no clamping of the overshoot of bicubic weights unless
        ``rounded``.

        Args:
            frames: (N, H, W, 3) uint8 RGB, or N frames of one size.

        Returns:
            (N, 3, h, w) float32 on the CPU.
        """
        import torch

        # Frames are as large as the clip: each is scaled down before the next one becomes float32.
        return torch.cat([self._scaled(frame) for frame in frames])

    def _scaled(self, frame: Frames) -> "torch.Tensor":
        import torch

        pixels = torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].to(torch.float32)
        size = self.size(pixels.shape[2], pixels.shape[3])
        if size != tuple(pixels.shape[2:]):
            pixels = torch.nn.functional.interpolate(
                pixels, size=size, mode=self.filter, align_corners=False, antialias=self.antialias
            )
            if self.rounded:
                pixels = pixels.clamp(0, 255).round()
        return self._normalised(self._cropped(pixels) / 255.0)

    def picture(self, image: Frames) -> "torch.Tensor":
        """Turn a still picture into a network's input, resized as Pillow resizes: always antialiased, to whole levels.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (1, 3, h, w) float32 on the CPU.
        """
        import torch
        from PIL import Image

        filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
        height, width = self.size(*image.shape[:2])
        resized = Image.fromarray(image).resize((width, height), filters[self.filter])
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].to(torch.float32)
        return self._normalised(self._cropped(pixels) / 255.0)

    def _cropped(self, pixels: "torch.Tensor") -> "torch.Tensor":
        if self.crop is None:
            return pixels
        height, width = pixels.shape[2:]
        if min(height, width) < self.crop:
            raise ConfigError(f"Recipe `{self.id}` got pictures of {width}x{height}; expected {self.crop} or more.")
        top, left = round((height - self.crop) / 2), round((width - self.crop) / 2)
        return pixels[:, :, top : top + self.crop, left : left + self.crop]

    def _normalised(self, pixels: "torch.Tensor") -> "torch.Tensor":
        import torch

        if self.mean is None or self.std is None:
            return pixels
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean) / std
