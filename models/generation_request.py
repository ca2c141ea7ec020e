"""What a family's networks are asked for: one sample and the settings, resolved."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames

__all__ = ["GenerationRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """Everything that decides the frames."""

    prompt: str
    """As the text encoder is given it."""
    images: tuple[tuple[float, Frames], ...]
    """(position, (h, w, 3) uint8), position in 0 to 1."""
    seed: int
    num_frames: int
    height: int
    """Of the clip, pixels; families that keep the aspect ratio of the first image keep only the area."""
    width: int
    steps: int
    guidance: float | tuple[float, float]
    """A pair is (low, high): of the two experts."""
    shift: float
    region_mask: NDArray[np.bool_] | None = None
    """(1 or num_frames, h, w): True where the picture is to move."""
    source: Frames | None = None
    """(num_frames, h, w, 3): the video of which a temporal mask keeps every eighth frame."""

    def details(self) -> dict[str, Any]:
        """Return what is kept beside the clip, as plain JSON; height and width are told by the clip itself."""
        guidance = list(self.guidance) if isinstance(self.guidance, tuple) else self.guidance
        return {
            "prompt": self.prompt,
            "positions": [position for position, _ in self.images],
            "region_mask": self.region_mask is not None,
            "seed": self.seed,
            "num_frames": self.num_frames,
            "steps": self.steps,
            "guidance": guidance,
            "shift": self.shift,
        }
