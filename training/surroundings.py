"""What a way to train is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from anisora.harness.media.decoder import DecoderPool
from anisora.training.buckets import Bucket
from anisora.training.config import TrainingConfig
from anisora.training.encodings import Encodings
from anisora.training.families.family import Family
from anisora.training.loop import Share

if TYPE_CHECKING:
    import torch

__all__ = ["Surroundings"]

Config = TypeVar("Config", bound=TrainingConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings(Generic[Config]):
    """What a way to train is made of."""

    config: Config
    """Without open ends."""
    family: Family
    encodings: Encodings
    reader: DecoderPool
    share: Share
    buckets: tuple[Bucket, ...]
    device: "torch.device"
    is_bfloat16: bool
    """Whether networks compute in bfloat16."""
    wait_for_everyone: Callable[[], None]
    gather: "Callable[[torch.Tensor], torch.Tensor]"
    """Joins the rows of all processes, in their order."""
    any_of: Callable[[bool], bool]
    """Whether any process says so; all of them ask."""
    is_shown: bool
    """Whether this process tells people how far it is."""

    @property
    def fps(self) -> float:
        """Of clips."""
        assert self.config.fps is not None
        return self.config.fps

    @property
    def skipped(self) -> int:
        """Frames left out at the beginning of each video."""
        assert self.config.skip_frames is not None
        return self.config.skip_frames
