"""Frames as Idefics2 takes pictures: at their own shape, bounded in size, padded where several shapes meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anisora.harness.transforms import Recipe
from anisora.harness.types import Frames

if TYPE_CHECKING:
    import torch

__all__ = ["PictureRecipe"]

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRecipe:
    """Resize by Pillow's bilinear filter where a picture is too large or too small, and normalise to -1..1."""

    longest: int = 980
    """Pixels that the longer side may have; a picture is never enlarged to them."""
    shortest: int = 378
    """Pixels that both sides have at least, even where the aspect ratio is lost by it."""

    @property
    def id(self) -> str:
        """A short stable text that names every choice."""
        return f"longest{self.longest}-shortest{self.shortest}-pillow-bilinear-norm{_HALF[0]:.3f}"

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) after the resize; cut to whole pixels, not rounded."""
        aspect = width / height
        if max(height, width) > self.longest:
            if width >= height:
                height, width = int(self.longest / aspect), self.longest
            else:
                height, width = self.longest, int(self.longest * aspect)
        return max(height, self.shortest), max(width, self.shortest)

    def __call__(self, pictures: Sequence[Frames] | Frames) -> "tuple[torch.Tensor, torch.Tensor]":
        """Turn the pictures of one text into a network's input.

        Args:
            pictures: T of (H, W, 3) uint8 RGB, each of any size.

        Returns:
            Pixels (T, 3, h, w) float32 and mask (T, h, w) uint8, 1 on real pixels, on the CPU. h and w are those of
            the largest; smaller ones are padded with 0 at the bottom and at the right.
        """
        import torch

        scaled = [self._scaled(picture) for picture in pictures]
        height, width = (max(each.shape[side] for each in scaled) for side in (1, 2))
        pixels = torch.zeros(len(scaled), 3, height, width)
        mask = torch.zeros(len(scaled), height, width, dtype=torch.uint8)
        for place, each in enumerate(scaled):
            pixels[place, :, : each.shape[1], : each.shape[2]] = each
            mask[place, : each.shape[1], : each.shape[2]] = 1
        return pixels, mask

    def _scaled(self, picture: Frames) -> "torch.Tensor":
        """Return (3, h, w)."""
        return Recipe(resize="none", mean=_HALF, std=_HALF)(self.resized(picture)[None])[0]

    def resized(self, picture: Frames) -> Frames:
        """Return a picture at its size for the network, (h, w, 3), in whole levels."""
        import numpy as np
        from PIL import Image

        height, width = self.size(*picture.shape[:2])
        if (height, width) == picture.shape[:2]:
            return picture
        return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
