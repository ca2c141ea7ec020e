"""How the authors trained each family of networks: what a configuration that does not say otherwise gets.

Reference: anisoraV1_train_gpu/sat/configs, anisoraV2_gpu/fastvideo/train.py.
"""

from dataclasses import dataclass
from typing import Final, Literal

from anisora.training.conditions import GUIDE_DROPOUT, TEXT_DROPOUT

__all__ = ["COGVIDEOX", "WAN", "Recipe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of one family."""

    learning_rate: float
    gradient_clip: float
    text_dropout: float
    condition_dropout: float
    skip_frames: int
    """Frames left out at the beginning of a video."""
    guides: Literal["first", "random"]
    guide_noise: bool
    """Whether preference training adds noise to the first frame."""


COGVIDEOX: Final = Recipe(
    learning_rate=2e-5,
    gradient_clip=0.1,
    text_dropout=TEXT_DROPOUT,
    condition_dropout=GUIDE_DROPOUT,
    skip_frames=3,
    guides="random",
    guide_noise=True,
)
"""Of AniSora V1."""
WAN: Final = Recipe(
    learning_rate=1e-5,
    gradient_clip=1.0,
    text_dropout=0.0,
    condition_dropout=0.0,
    skip_frames=2,
    guides="first",
    guide_noise=False,
)
"""Of AniSora V2; the training of its successors is not published."""
