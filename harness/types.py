"""The values that flow through the harness, from a suite's sample to a clip's score."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError, DataError

__all__ = [
    "Clip",
    "Condition",
    "FrameArray",
    "FrameSampling",
    "Frames",
    "Generated",
    "Generation",
    "Image",
    "Sample",
    "SamplingMode",
    "Score",
    "StreamInfo",
    "VideoSource",
]

Frames = NDArray[np.uint8]
"""RGB frames (T, H, W, 3) or one frame (H, W, 3), 0..255: the only layout in which pixels cross a module border."""

SamplingMode = Literal["all", "uniform", "middle", "stride", "fps", "interval", "keyframes", "reward", "reward_motion"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSampling:
    """Which frames of a clip an extractor sees.

    ``all``: every frame. ``uniform``: ``count`` frames from first to last, both included. ``middle``: the middle
    frame of each of ``count`` equal parts. ``stride``: every ``stride``-th frame from the first. ``fps``: the frames
    nearest to ``fps`` frames a second. ``interval``: every n-th frame from the first, n being the whole number nearest
    to the clip's frame rate over ``fps``. ``keyframes``: the frames at the positions of the conditioning images.
    ``reward``: the frames that all scorers of AniSora's reward see. ``reward_motion``: those of them that its motion
    scorer sees.
    """

    mode: SamplingMode = "all"
    count: int | None = None
    stride: int | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        """Refuse a mode without its number, or a number without its mode."""
        if self.mode not in get_args(SamplingMode):
            raise ConfigError(f"`FrameSampling.mode` got {self.mode!r}; expected one of {get_args(SamplingMode)}.")
        needed = {"uniform": "count", "middle": "count", "stride": "stride", "fps": "fps", "interval": "fps"}.get(
            self.mode
        )
        for name in ("count", "stride", "fps"):
            value = getattr(self, name)
            if (name == needed) != (value is not None) or (value is not None and value <= 0):
                raise ConfigError(
                    f"`FrameSampling(mode={self.mode!r})` got {name}={value!r}; expected "
                    + ("a positive number." if name == needed else "None.")
                )

    @property
    def id(self) -> str:
        """A short stable text, part of cache keys and of the protocol: ``all``, ``uniform-8``, ``fps-2.0``."""
        number = self.count or self.stride or self.fps
        return self.mode if number is None else f"{self.mode}-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video file, or a folder of frames, on disk."""

    path: Path
    digest: str
    """sha256 of the file; of a folder: of the names and digests of its frames."""
    fps: float | None = None
    """Frame rate that overrides the container's; required for a folder of frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameArray:
    """A video that lives in memory, for rewards and tests."""

    frames: Frames
    fps: float
    digest: str = ""
    """``frames:`` and the sha256 of shape and bytes; computed when left empty."""

    def __post_init__(self) -> None:
        """Check the layout and compute the digest."""
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[-1] != 3:
            raise DataError(
                f"`frames` got {self.frames.dtype} of shape {self.frames.shape}; expected uint8 (T, H, W, 3) RGB."
            )
        if not self.fps > 0:
            raise DataError(f"`fps` got {self.fps!r}; expected a positive number of frames per second.")
        if not self.digest:
            hasher = hashlib.sha256(repr(self.frames.shape).encode())
            hasher.update(np.ascontiguousarray(self.frames).data)
            object.__setattr__(self, "digest", f"frames:{hasher.hexdigest()}")


VideoSource = Clip | FrameArray


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What decoding a clip told about it."""

    fps: float
    num_frames: int
    height: int
    width: int
    codec: str
    pixel_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A conditioning image on disk."""

    path: Path
    digest: str
    """sha256 of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a model is given beside the prompt."""

    keyframes: tuple[tuple[float, Image], ...] = ()
    """(position, image), position in [0, 1]: 0 is the first frame and 1 the last."""
    region_mask: Path | None = None
    motion_score: float | None = None

    @property
    def positions(self) -> tuple[float, ...]:
        """The positions of the conditioning images."""
        return tuple(position for position, _ in self.keyframes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One item of a suite."""

    id: str
    prompt: str | None = None
    condition: Condition = field(default_factory=Condition)
    label: str | None = None
    """The action label; items of one label form a cluster."""
    ground_truth: Clip | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A clip that some system made for a sample: the thing that is scored. Ground truth clips are Generations too."""

    sample: Sample
    clip: VideoSource
    model: str
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model adapter returns for a sample; the runner writes the files."""

    frames: Frames
    """(T, H, W, 3) uint8 RGB."""
    fps: float
    details: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """How it was made, as plain JSON: the prompt that was sent, resolved settings, memory. Kept beside the clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one metric says of one clip, in natural units; ``value`` None means not scorable, and ``note`` says why."""

    sample_id: str
    seed: int
    value: float | None
    weight: float = 1.0
    parts: Mapping[str, Sequence[float]] = field(default_factory=lambda: _EMPTY)
    """Per frame, pair or dimension, by name."""
    note: str = ""
