"""Released models as data: what one is made of and how its authors run it."""

from dataclasses import dataclass
from typing import Final

__all__ = ["MODEL_AGREEMENT", "Released"]

MODEL_AGREEMENT: Final = "Apache-2.0 with the Index-AniSora Model License Agreement"
"""The agreement binds derived models too: rules of use, compliance of outputs, attribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """One released model, or one way to run it."""

    summary: str
    base: str
    """The model that it was tuned from."""
    revision: str
    """Of the code whose settings and conditions are followed."""
    tracks: frozenset[str]
    """Ways to pose an item: i2v, last, mid, keyframe, region."""
    fps: float
    num_frames: int
    frame_rule: tuple[int, int]
    """(a, b): the number of frames is a*k + b."""
    height: int
    width: int
    steps: int
    guidance: float | tuple[float, float]
    shift: float
    release: str | None
    """Of models.prompt_grammar, whose suffix prompts get; None where the authors recommend none."""
    folder: str
    """Below the weights folder: where its own networks lie."""
    companions: str
    """Below the weights folder: a diffusers folder with the text encoder, tokenizer and VAE that it shares with its
    base."""
    sources: tuple[str, ...]
    """Where the two can be had."""
    licence: str = MODEL_AGREEMENT
    commercial_use: bool = False
