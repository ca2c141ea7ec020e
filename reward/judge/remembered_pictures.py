"""The last clips' pictures, so that two networks that see the same frames have them resized once."""

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from anisora.harness.types import Frames
from anisora.reward.judge.pictures import PictureRecipe

if TYPE_CHECKING:
    import torch

__all__ = ["RememberedPictures"]

_CLIPS: Final = 2
"""How many are kept: 24 frames of 980x551 are 156 MB, of 980x980 277 MB."""


class RememberedPictures:
    """A recipe that remembers what it made of the last clips; safe to use from several threads."""

    def __init__(self, recipe: PictureRecipe) -> None:
        """Take the recipe."""
        self.recipe = recipe
        self._made: OrderedDict[str, tuple[torch.Tensor, torch.Tensor]] = OrderedDict()
        self._lock = threading.Lock()
        self.computed = 0
        """How many clips were resized."""

    def __call__(self, frames: Frames) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return pixels and mask of a clip, as the recipe makes them; do not write to them.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
        """
        hasher = hashlib.sha256(repr(frames.shape).encode())
        hasher.update(np.ascontiguousarray(frames).data)
        key = hasher.hexdigest()
        with self._lock:
            if key not in self._made:
                while len(self._made) >= _CLIPS:  # before the next one is made, so that there are never more
                    self._made.popitem(last=False)
                self._made[key] = self.recipe(frames)
                self.computed += 1
            self._made.move_to_end(key)
            return self._made[key]
