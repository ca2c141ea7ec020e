"""The plug-in surfaces: what a metric, extractor, model, reward, dataset or logger must offer.

They are Protocols, so a third-party package needs no base class of ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from anisora.harness.device import Dtype
from anisora.harness.types import (
    Clip,
    Condition,
    Frames,
    FrameSampling,
    Generated,
    Generation,
    Sample,
    Score,
    StreamInfo,
)

if TYPE_CHECKING:
    from anisora.harness.record import RunRecord
    from anisora.harness.training_folder import TrainingStatus

__all__ = [
    "Batch",
    "CountedNetworks",
    "Dataset",
    "Direction",
    "ExtractorInfo",
    "FeatureExtractor",
    "FeatureReader",
    "FeatureRequest",
    "Features",
    "GenerationSettings",
    "Generator",
    "GeneratorInfo",
    "Metric",
    "MetricInfo",
    "Need",
    "PreparingGenerator",
    "RecordedGenerator",
    "RewardBatch",
    "RewardInfo",
    "RewardModel",
    "RunLogger",
    "SelectiveGenerator",
    "SelfChecking",
    "SystemInfo",
    "TrainingLogger",
    "VideoReader",
]

Direction = Literal["higher", "lower", "reference"]
"""``reference``: closest to the ground truth is best."""

Need = Literal["prompt", "keyframes", "ground_truth", "region_mask"]

_TOLD_OF_SYSTEM: Final = ("title", "organisation", "version", "access", "published")

Features = Mapping[str, NDArray[Any]]
"""What an extractor says of one clip: arrays whose first axis counts its windows, in time order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractorInfo:
    """Who an extractor is. Everything here that can change a number is part of the cache key."""

    name: str
    version: int
    """Goes up when any output can change."""
    window: int
    """Frames needed at once: 1 a frame, 2 a pair of consecutive sampled frames, 0 all sampled frames together."""
    stride: int = 1
    """Sampled frames between the starts of two windows."""
    batch_size: int = 1
    """Windows in one call. The last batch is filled with windows of other clips or padded: every call has one shape."""
    shares_batches: bool = False
    """Whether the bits of a row depend on its frames alone, wherever it lies and whatever lies beside it in a batch.
    Only then are windows of several clips put together."""
    preprocess: str = "rgb8"
    """Id of the preprocessing, with everything that names it: size, filter, antialias, normalisation."""
    needs: frozenset[Need] = frozenset()
    """Inputs beside the clip that reach the batch and the cache key."""
    reads: Literal["frames", "inputs"] = "frames"
    """``inputs``: a row follows from ``needs`` and the size of the frames, whatever they show. Where one row is asked
    for, it is computed once for all clips that have these in common."""
    weights: tuple[str, ...] = ()
    """Names in the weights ledger."""
    extra: str = ""
    """The optional extra of this package that brings what it imports; none for the core."""
    distributions: tuple[str, ...] = ()
    """The distributions of that extra without which it cannot run."""
    frame_size: tuple[int, int] | None = None
    """(height, width) to which frames are resized, by area, before they are kept; only where ``window`` is 0."""
    dtype: Dtype = "float32"
    """Number format of its network's tensors on the device."""
    copied_per_worker: bool = False
    """Small enough, and on the CPU, that each worker has a copy; other networks take one caller at a time."""
    summary: str = ""

    @property
    def runs_on_devices(self) -> bool:
        """Whether it may run off the CPU, where its last bits differ: the networks of the extra ``models``."""
        return self.extra == "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some windows of one clip, and what goes with them. Arrays may be views of shared memory: do not keep them."""

    frames: Frames
    """(B, window, H, W, 3) uint8 RGB."""
    indices: NDArray[np.int64]
    """(B, window) indices of the frames in the clip."""
    stream: StreamInfo
    reference: Frames | None = None
    """The ground truth's frames at the same indices, (B, window, H', W', 3), for extractors that need it."""
    reference_stream: StreamInfo | None = None
    """Frame rate, size and expected length of the ground truth, where ``reference`` is given."""
    images: tuple[tuple[float, Frames], ...] = ()
    """(position, (h, w, 3)) conditioning images, for extractors that need keyframes."""
    prompt: str | None = None
    region_mask: NDArray[np.bool_] | None = None
    """(h, w), at the mask image's own size: True where the picture is to move, for extractors that need it."""


class FeatureExtractor(Protocol):
    """A network or pixel statistic, evaluated once and shared by every metric that asks for it."""

    @property
    def info(self) -> ExtractorInfo:
        """Who it is."""
        ...

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return small arrays whose first axis is the batch's; dense maps stay inside."""
        ...


@runtime_checkable
class SelfChecking(Protocol):
    """An extractor that can tell whether it works on this machine."""

    def known_answer(self) -> str:
        """Run on a picture with a known answer and return what was found.

        Raises:
            MetricError: It found something else.
        """
        ...


@runtime_checkable
class CountedNetworks(Protocol):
    """An extractor that knows how large its networks are before they are loaded."""

    def parameters(self) -> Mapping[str, int]:
        """Return {ledger name: numbers in the tensors}, counted from shapes alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRequest:
    """An extractor and the frames it is to see."""

    extractor: str
    sampling: FrameSampling = field(default_factory=FrameSampling)


class FeatureReader(Protocol):
    """What a metric may ask of the feature store."""

    def get(self, item: Generation, extractor: str, sampling: FrameSampling) -> Features:
        """Return the features of one clip, decoding it at most once for all extractors of the plan."""
        ...

    def stream(self, item: Generation) -> StreamInfo:
        """Return frame rate, size and length of the clip."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """Who a metric is, and how its numbers are to be read."""

    name: str
    title: str
    version: int
    """Goes up when any number can change; stored with each row."""
    direction: Direction
    value_range: tuple[float, float]
    """Natural range; infinities where there is no bound."""
    requests: tuple[FeatureRequest, ...]
    source: str
    """Paper and equation, or the file of the reference implementation."""
    group: str = "core"
    needs: frozenset[Need] = frozenset()
    """Inputs of the sample without which the metric leaves it unscored."""
    min_frames: int = 1
    unit: str = ""
    licence: str = "Apache-2.0"
    commercial_use: bool = True
    mode: str | None = None
    """Which of several ways to compute a dimension of a reward, told in the protocol."""
    obstacle: str = ""
    """Why it cannot score as it was made, such as without an argument that it needs, in one sentence."""
    files: tuple[tuple[str, str], ...] = ()
    """(name, sha256) of files of its own that can change a number: part of the protocol."""
    fitted_on: tuple[tuple[str, str], ...] = ()
    """(ledger name, digest) of the weights it was fitted on; under others its numbers mean nothing."""
    binary: bool = False
    """Its values are 1 for yes and 0 for no: their mean is a share, with the interval of one."""


class Metric(Protocol):
    """A pure formula over features, for one clip."""

    @property
    def info(self) -> MetricInfo:
        """Who it is."""
        ...

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; a value of None says that the metric does not apply, and why."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSettings:
    """What a model is asked to do; None leaves the model's own default."""

    height: int | None = None
    width: int | None = None
    num_frames: int | None = None
    fps: float | None = None
    steps: int | None = None
    guidance: float | None = None
    shift: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemInfo:
    """A system that is not run here: who makes it, how its clips are had, and what they are like."""

    title: str
    organisation: str
    version: str
    access: Literal["repository", "api"]
    """Whether it can be run from a repository of its own, or only asked for clips."""
    obtain: str
    """What to run or to ask, after which the clips are there; follows "to have its clips, "."""
    parameters: Mapping[str, str]
    """{name as there: value to give, or the choices}"""
    size: str | None
    """Of its clips, height x width in pixels; None where it is not known, as with all that follows."""
    frames: str | None
    fps: float | None
    prompt: str | None
    """The longest prompt."""
    weights: tuple[str, ...]
    """Repositories on Hugging Face."""
    sources: tuple[str, ...]
    """Pages where this stands."""
    accessed: str
    """The day on which they were opened, or ``unverified``."""
    published: str | None
    """The name of its row in published tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorInfo:
    """Who a model adapter is."""

    name: str
    base: str
    revision: str
    licence: str
    tasks: frozenset[str]
    """Tracks it can serve: i2v, last, mid, keyframe, region; ``any`` for those that need no condition."""
    summary: str
    frame_rule: tuple[int, int] = (1, 0)
    """(a, b): the number of frames is a*k + b."""
    untrained: bool = False
    """True for random weights: the run never shares a table with others."""
    commercial_use: bool = True
    fps: float | None = None
    """Frame rate of its clips; None for that of whatever it is given."""
    protocol: tuple[tuple[str, str], ...] = ()
    """(field, value) that must be equal for two runs to share a table: what it does to prompts, and approximations."""
    system: SystemInfo | None = None
    """Of a recorded system, how its clips are had."""

    def told(self) -> dict[str, Any]:
        """Return what a run keeps of it, as plain JSON."""
        system = self.system
        return {
            "base": self.base,
            "revision": self.revision,
            "licence": self.licence,
            **({} if system is None else {name: getattr(system, name) for name in _TOLD_OF_SYSTEM}),
        }


class VideoReader(Protocol):
    """Decodes clips and images in a limited child process."""

    def read_frames(self, clip: Clip) -> tuple[Frames, StreamInfo]:
        """Return all frames of a clip, (T, H, W, 3)."""
        ...

    def read_image(self, path: Path) -> Frames:
        """Return an image as RGB, (H, W, 3)."""
        ...


class Generator(Protocol):
    """A model adapter: frames out, files are the runner's business."""

    @property
    def info(self) -> GeneratorInfo:
        """Who it is."""
        ...

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        """Return frames, their frame rate, and how they were made."""
        ...


@runtime_checkable
class SelectiveGenerator(Generator, Protocol):
    """A model that can tell beforehand which items it cannot make a clip for: these are missing, not errors."""

    def refuses(self, sample: Sample, *, settings: GenerationSettings) -> str | None:
        """Return why no clip can be made for an item with these settings, or None where one can.

        The reason follows the item's name in a message and has no full stop: ``has no ground truth; add it ...``.
        """
        ...


@runtime_checkable
class PreparingGenerator(Generator, Protocol):
    """A model that can tell what a run of it takes before anything is loaded or written."""

    def prepare(self, *, settings: GenerationSettings) -> str:
        """Check weights and memory, and return one line for people that says what will be taken.

        Raises:
            WeightsMissing: Files are absent; all of them are named.
            ConfigError: It cannot fit, or the settings are none of the model's.
        """
        ...

    def weights(self) -> Mapping[str, str]:
        """Return {file: sha256} of everything that its networks are read from; nothing for random numbers."""
        ...


@runtime_checkable
class RecordedGenerator(Protocol):
    """A model whose clips are files that exist already: nothing is generated, encoded or copied."""

    @property
    def info(self) -> GeneratorInfo:
        """Who it is."""
        ...

    def locate(self, sample: Sample, *, seed: int) -> Clip | None:
        """Return the clip for a sample, or None if there is none."""
        ...


class Dataset(Protocol):
    """Samples with a name and a revision."""

    @property
    def name(self) -> str:
        """Its name in the registry."""
        ...

    @property
    def revision(self) -> str:
        """Changes whenever an item does."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Sample]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardInfo:
    """Who a reward is."""

    name: str
    dimensions: tuple[str, ...]
    weights: tuple[float, ...]
    fingerprint: str
    """Digest over metric versions, extractors, weights and constants: equal fingerprints, equal numbers."""
    protocols: Mapping[str, str] = field(default_factory=dict)
    """{dimension: digest of all that can change its raw number}, of those of which it is known."""
    constants: str = ""
    """Name and digest of the constants by which dimensions are normalised; empty where none are."""
    value_range: tuple[float, float] | None = None
    """Lowest and highest total that can be, infinities where there is no bound; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardBatch:
    """Rewards of a batch; invalid entries are NaN. Arrays are float32 tensors on the device of the input, or numpy."""

    total: Any
    """(B,)"""
    dimensions: Mapping[str, Any]
    """{name: (B,)}, raw: in the dimensions' natural units."""
    valid: Any
    """(B,) bool: every dimension of the total could be scored."""
    seconds: float
    scores: tuple[Mapping[str, Score], ...] = ()
    """The metrics' own rows, one mapping per video, as a run folder would hold them."""
    failed: tuple[frozenset[str], ...] = ()
    """One set per video: the metrics that failed. Others without a value do not apply to the video."""
    decodes: int = 0
    """Clips decoded for the batch; a clip counts again for each pass of ``resident="one"``."""
    normalised: Mapping[str, Any] = field(default_factory=dict)
    """{name: (B,)}: the dimensions by stored constants, of which the total is made then; empty where there are none."""
    peak_bytes: int | None = None
    """The most memory during the call; None where it was not measured."""


class RewardModel(Protocol):
    """What trainers call. ``fps`` is required: a reward that guesses the frame rate cannot be trusted."""

    @property
    def info(self) -> RewardInfo:
        """Who it is."""
        ...

    def __call__(
        self,
        videos: Any,  # noqa: ANN401 - a torch tensor, a numpy array or paths
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        fps: float,
    ) -> RewardBatch:
        """Score (B, T, 3, H, W) uint8 frames on any device, or a sequence of paths."""
        ...


class RunLogger(Protocol):
    """Is told of finished runs: the leaderboard, an experiment tracker."""

    def on_end(self, record: "RunRecord", folder: Path) -> None:
        """Take in a finished run and the folder it lies in; being told twice changes nothing."""
        ...


class TrainingLogger(Protocol):
    """Is told of trainings, while they are at work and when they end: the leaderboard, an experiment tracker."""

    def on_progress(self, folder: Path, status: "TrainingStatus") -> None:
        """Take in what the run folder of a training has so far; being told twice changes nothing."""
        ...
