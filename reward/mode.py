"""The two ways to compute a score of the anime reward: as released, or without the oversights of the release."""

from typing import Literal, get_args

from anisora.harness.errors import ConfigError, nearest
from anisora.harness.types import FrameSampling

__all__ = ["Mode", "frames_of", "named", "read_mode"]

Mode = Literal["reference", "corrected"]


def read_mode(mode: str) -> Mode:
    """Return a mode.

    Raises:
        ConfigError: There is no such mode.
    """
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    guess = nearest(mode, get_args(Mode))
    raise ConfigError(
        f"`mode` got {mode!r}; expected one of {', '.join(get_args(Mode))}."
        + (f" Did you mean {guess!r}?" if guess else "")
    )


def frames_of(mode: Mode) -> FrameSampling:
    """Return which frames the dimensions share: 24 of the first 144 as released, or 24 from all over the clip."""
    return FrameSampling(mode="reward") if mode == "reference" else FrameSampling(mode="uniform", count=24)


def named(name: str, mode: Mode) -> str:
    """Return the specification of a metric or extractor in a mode; ``reference`` is the default and not spelled out.

    Example:
        >>> named("image_video_consistency", "corrected")
        'image_video_consistency:mode=corrected'
    """
    return name if mode == "reference" else f"{name}:mode={mode}"
