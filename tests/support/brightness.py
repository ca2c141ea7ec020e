"""A reward that likes bright clips: what it says can be checked by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from anisora.harness.protocols import RewardBatch, RewardInfo
from anisora.harness.types import Condition
from anisora.reward.reward_inputs import as_numpy, converter

__all__ = ["Brightness"]


class Brightness:
    """``bright``, the mean of all pixels, is weighted; ``dark``, 255 less that, is told beside it."""

    info = RewardInfo(name="brightness", dimensions=("bright", "dark"), weights=(1.0, 0.0), fingerprint="brightness")

    def __init__(self, called: Callable[[], None] = lambda: None, *, invalid: Sequence[int] = ()) -> None:
        """Take what happens before each call, and the places in each call that cannot be scored."""
        self._called, self._invalid = called, list(invalid)
        self.seen: list[tuple[Any, list[str], Sequence[Condition] | None, float]] = []

    def __call__(
        self, videos: Any, prompts: Sequence[str], images: Sequence[Condition] | None = None, *, fps: float
    ) -> RewardBatch:
        """Score (B, T, 3, H, W) uint8."""
        self._called()
        self.seen.append((videos, list(prompts), images, fps))
        frames, convert = as_numpy(videos), converter(videos)
        bright = frames.astype(np.float64).mean((1, 2, 3, 4)).astype(np.float32)
        dark = 255 - bright
        bright[[place for place in self._invalid if place < len(bright)]] = np.nan
        return RewardBatch(
            total=convert(bright),
            dimensions={"bright": convert(bright), "dark": convert(dark)},
            valid=convert(np.isfinite(bright)),
            seconds=0.0,
        )
