"""What all diffusion adapters have in common: tracks, settings, prompts, conditioning images, devices, details.

A family says how its networks are made and how a request becomes frames; everything before and after is here.
"""

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from anisora.harness.device import (
    Device,
    Dtype,
    available_devices,
    compute_device,
    free_memory,
    peak_memory,
    reset_peak_memory,
    resolve_dtype,
)
from anisora.harness.errors import ConfigError, DataError, WeightsMissing
from anisora.harness.file_digests import remembered_digests
from anisora.harness.media.folders import VIDEO_SUFFIXES
from anisora.harness.memory_estimate import DTYPE_BYTES
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.types import Clip, Condition, Frames, Generated, Sample
from anisora.models.generation_memory import GenerationMemory
from anisora.models.generation_request import GenerationRequest
from anisora.models.placement import Offload
from anisora.models.prompt_grammar import GRAMMARS, recommended_prompt
from anisora.models.published import PublishedNetwork
from anisora.models.released import Released
from anisora.models.untrained import came_from_random_numbers

__all__ = ["DiffusionGenerator", "RunsOn", "Suffix", "track_of"]

Suffix = Literal["recommended", "none"]
"""``recommended``: the scores and sentences that the authors append to prompts. ``none``: prompts as the suite has
them."""
TINY_SIZE: Final = (64, 112)
"""(height, width)"""
TINY_FRAMES: Final = 9
TINY_STEPS: Final = 2

Networks = TypeVar("Networks")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsOn:
    """Where and how networks compute; nothing of it is part of a model, though last bits follow from it."""

    dtype: str = "auto"
    """``auto`` is bfloat16 on accelerators, as the authors run, and float32 on the CPU."""
    offload: Offload = "none"
    tiling: bool = False
    """The VAE works on parts of a frame: less memory, slightly other pixels."""
    attention: str = ""
    """Backend of diffusers' attention; empty for its own choice."""
    devices: int = 1
    """How many devices make clips side by side, each with networks of its own."""

    def device_list(self) -> list[Device]:
        """Return the devices: the one that was asked for, and those of its kind that follow it.

        Raises:
            ConfigError: There are not so many.
        """
        first = compute_device()
        kind = [device for device in available_devices() if device.kind == first.kind]
        chosen = kind[kind.index(first) :][: self.devices] if first in kind else [first]
        if self.devices < 1 or len(chosen) < self.devices:
            raise ConfigError(
                f"`devices` got {self.devices}; expected 1 to {len(chosen)}, the {first.kind} devices from `{first}` "
                "on. Ask for fewer or name an earlier --device."
            )
        return chosen

    def dtype_on(self, device: Device) -> Dtype:
        """Return the number format on a device.

        Raises:
            ConfigError: There is no such format there.
        """
        if self.dtype == "auto":
            return "float32" if device.kind == "cpu" else "bfloat16"
        return resolve_dtype(self.dtype, device)


def track_of(condition: Condition) -> str:
    """Return the track that a condition poses: what a model must be able to do.

    Example:
        >>> track_of(Condition())
        'nothing'
    """
    if condition.region_mask is not None:
        return "region"
    positions = sorted(set(condition.positions))
    if len(positions) > 1:
        return "keyframe"
    if not positions:
        return "nothing"
    return {0.0: "i2v", 1.0: "last"}.get(positions[0], "mid")


class DiffusionGenerator(ABC, Generic[Networks]):
    """A released model on diffusers' networks. Thread-safe: as many clips at a time as it has devices."""

    def __init__(
        self,
        name: str,
        released: Released,
        *,
        tiny: bool,
        weights: str,
        suffix: str,
        motion: float | None,
        settings: GenerationSettings,
        runs_on: RunsOn,
        protocol: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Take what was asked for.

        Args:
            name: In tables.
            released: The model.
            tiny: Networks of the same classes with random numbers, small enough for a CPU.
            weights: A folder or ``hub/name@revision`` in place of the released folder.
            suffix: What is done to prompts.
            motion: The motion score of the suffix; None is the sample's own, else the authors' example.
            settings: In place of the released ones; what a run asks for goes before.
            runs_on: Where and how networks compute.
            protocol: Approximations, as fields of the protocol.

        Raises:
            ConfigError: Something of it does not exist, or contradicts the rest.
        """
        if suffix not in get_args(Suffix):
            raise ConfigError(f"`suffix` got {suffix!r}; expected one of {', '.join(get_args(Suffix))}. Choose one.")
        if tiny and weights:
            raise ConfigError(f"`weights` got {weights!r} with `tiny`, which has random ones; leave one of them out.")
        self.released = released
        self._name, self._tiny, self._weights = name, tiny, weights
        self._suffix = suffix if released.release is not None else "none"
        self._motion, self._settings, self._runs_on = motion, settings, runs_on
        self._check_motion(motion, "motion")
        rewriting = f"{released.release} suffix" if self._suffix == "recommended" else "none"
        self.info: Final = GeneratorInfo(
            name=name,
            base=released.base,
            revision=released.revision,
            licence=released.licence,
            tasks=released.tracks,
            summary=released.summary,
            frame_rule=released.frame_rule,
            untrained=tiny or came_from_random_numbers(str(weights)),
            commercial_use=tiny or released.commercial_use,
            fps=released.fps,
            protocol=(("prompt_rewriting", rewriting), *protocol),
        )
        self._free: queue.SimpleQueue[Device] = queue.SimpleQueue()
        self._loaded: dict[Device, Networks] = {}
        self._lock = threading.Lock()
        self._started = False

    @abstractmethod
    def load(self, device: Device, dtype: Dtype, runs_on: RunsOn) -> Networks:
        """Make the networks and put them where they belong."""

    @abstractmethod
    def sample(self, networks: Networks, request: GenerationRequest) -> Frames:
        """Return the frames of a request, (T, H, W, 3) uint8."""

    @abstractmethod
    def memory(self, request: GenerationRequest, dtype: Dtype, *, published: bool = False) -> GenerationMemory:
        """Return what a request takes of a device.

        Args:
            request: Says how large the clip is.
            dtype: Number format.
            published: By the sizes of the released networks, whatever files there are.
        """

    def sampling_details(self, request: GenerationRequest) -> dict[str, Any]:
        """Return what is kept beside a clip of how a request is sampled, as plain JSON."""
        return {}

    @abstractmethod
    def weight_files(self) -> tuple[Path, ...]:
        """Return everything that is read.

        Raises:
            WeightsMissing: Parts are absent; all of them are named.
        """

    def weights(self) -> dict[str, str]:
        """Return {folder/file: sha256} of everything that is read; nothing for random numbers.

        Raises:
            WeightsMissing: Parts are absent.
        """
        if self._tiny:
            return {}
        digests = remembered_digests(self.weight_files())
        return {f"{path.parent.name}/{path.name}": digest for path, digest in digests.items()}

    def settings(self, asked: GenerationSettings) -> GenerationRequest:
        """Return a request without prompt and images: what is asked for, else the adapter's, else the released.

        Raises:
            ConfigError: The number of frames, the size or another setting is none of the model's.
        """
        released = self.released
        height, width = TINY_SIZE if self._tiny else (released.height, released.width)
        source = asked if asked.height or asked.width else self._settings
        if source.height is not None and source.width is not None:
            height, width = source.height, source.width
        elif source.height is not None or source.width is not None:
            raise ConfigError(
                f"`--height` and `--width` got {source.height} and {source.width}; expected both or neither. "
                "Give the other one."
            )
        resolved = GenerationRequest(
            prompt="",
            images=(),
            seed=0,
            num_frames=_first(
                asked.num_frames, self._settings.num_frames, TINY_FRAMES if self._tiny else released.num_frames
            ),
            height=height,
            width=width,
            steps=_first(asked.steps, self._settings.steps, TINY_STEPS if self._tiny else released.steps),
            guidance=_first(asked.guidance, self._settings.guidance, released.guidance),
            shift=_first(asked.shift, self._settings.shift, released.shift),
        )
        self._check_settings(resolved, asked)
        return resolved

    def _check_settings(self, resolved: GenerationRequest, asked: GenerationSettings) -> None:
        multiple, rest = self.released.frame_rule
        if resolved.num_frames < 1 or (resolved.num_frames - rest) % multiple:
            low = max(0, (resolved.num_frames - rest) // multiple) * multiple + rest
            raise ConfigError(
                f"`--num-frames` got {resolved.num_frames} for model {self._name!r}; expected a multiple of {multiple} "
                f"plus {rest}. Ask for {low} or {low + multiple}."
            )
        if asked.fps is not None and asked.fps != self.released.fps:
            raise ConfigError(
                f"`fps` got {asked.fps:g} for model {self._name!r}, which was trained at {self.released.fps:g}; "
                "expected that or none. Leave it out."
            )

    def _check_motion(self, motion: float | None, what: str) -> None:
        if motion is None:
            return
        if self._suffix == "none":
            raise ConfigError(
                f"`{what}` got {motion:g} for {self._name!r}, whose prompts get no score here; leave it out."
            )
        recommended_prompt("", str(self.released.release), motion=float(motion))

    def prepare(self, *, settings: GenerationSettings) -> str:
        """Check files and memory; return what will be taken.

        Raises:
            WeightsMissing: Files are absent.
            ConfigError: It cannot fit; the message has settings that would.
        """
        request = self.settings(settings)
        devices = self._runs_on.device_list()
        dtype = self._dtype_on(devices[0])
        if not self._tiny:
            try:
                self.weight_files()
            except WeightsMissing as error:
                needed = self.memory(request, dtype, published=True)
                takes = needed.text(self._runs_on.offload, device=str(devices[0]), free=free_memory(devices[0]))
                raise WeightsMissing(f"{error} Running it in {dtype} takes {takes}.") from error
        needed = self.memory(request, dtype)
        for device in devices:
            needed.check_fits(self._runs_on.offload, device=str(device), free=free_memory(device))
        line = needed.text(self._runs_on.offload, device=str(devices[0]), free=free_memory(devices[0]))
        marked = " (UNTRAINED: random numbers)" if self.info.untrained else ""
        return f"{self._name}{marked} in {dtype}: {line}"

    def refuses(self, sample: Sample, *, settings: GenerationSettings) -> str | None:
        """Return why no clip can be made of a sample, or None.

        Raises:
            ConfigError: The settings are none of the model's.
        """
        self.settings(settings)
        track = track_of(sample.condition)
        if track == "nothing":
            return "has no conditioning image; add one to the suite's manifest"
        if track not in self.released.tracks:
            return (
                f"is posed as {track!r}, and model {self._name!r} serves {', '.join(sorted(self.released.tracks))}; "
                "choose a track with SUITE@TRACK"
            )
        if not sample.prompt:
            return "has no prompt; add it to the suite's manifest"
        return None

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        """Make the clip of a sample on the next free device.

        Raises:
            DataError: The sample cannot be posed to the model.
            ConfigError: The settings are none of the model's.
        """
        reason = self.refuses(sample, settings=settings)
        if reason is not None:
            raise DataError(f"Sample `{sample.id}` {reason}.")
        request = self.request(sample, seed=seed, settings=settings, reader=reader)
        with self.free_device() as device:
            reset_peak_memory(device)
            frames = self.sample(self.networks_on(device), request)
            peak = peak_memory(device)
        runs_on = self._runs_on
        told = {
            "model": self._name,
            "untrained": self.info.untrained,
            **request.details(),
            **self.sampling_details(request),
            "device": str(device),
            "dtype": self._dtype_on(device),
            "offload": runs_on.offload,
            "tiling": runs_on.tiling,
            "peak_memory_bytes": peak,
        }
        return Generated(frames, self.released.fps, told)

    def request(
        self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader
    ) -> GenerationRequest:
        """Return what the networks are asked for.

        Raises:
            VideoUnreadable: An image or the mask cannot be read.
            DataError: The mask has another number of frames than the clip.
        """
        resolved = self.settings(settings)
        images = tuple(
            (position, reader.read_image(image.path))
            for position, image in sorted(sample.condition.keyframes, key=_position)
        )
        mask = None
        if sample.condition.region_mask is not None:
            mask = _read_mask(sample, resolved.num_frames, reader)
        return replace(resolved, prompt=self.prompt(sample), images=images, seed=seed, region_mask=mask)

    def prompt(self, sample: Sample) -> str:
        """Return the prompt of a sample as the model is given it."""
        text = sample.prompt or ""
        if self._suffix == "none":
            return text
        release = str(self.released.release)
        motion = self._motion if self._motion is not None else sample.condition.motion_score
        return recommended_prompt(text, release, motion=motion) + GRAMMARS[release].appended

    def _library_weights(self, found: PublishedNetwork | None, parameters: int, dtype: Dtype) -> int:
        """Return the bytes of an encoder: of its files, whose number format is not known before they are read."""
        if self._tiny:
            return 0
        return parameters * DTYPE_BYTES[dtype] if found is None else sum(file.stat().st_size for file in found.files)

    def _dtype_on(self, device: Device) -> Dtype:
        # Random networks stay as they are drawn, unless asked otherwise: they give the same clip on every device.
        return "float32" if self._tiny and self._runs_on.dtype == "auto" else self._runs_on.dtype_on(device)

    @property
    def dtype(self) -> Dtype:
        """The number format of its networks on the first of its devices."""
        return self._dtype_on(self._runs_on.device_list()[0])

    @contextmanager
    def free_device(self) -> Iterator[Device]:
        """Hold the next free device; nobody else computes on it meanwhile."""
        with self._lock:
            if not self._started:
                for device in self._runs_on.device_list():
                    self._free.put(device)
                self._started = True
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)

    def networks_on(self, device: Device) -> Networks:
        """Return the networks on a device that is held, loaded once.

        Raises:
            WeightsMissing: Parts are absent.
            ConfigError: Tensors are not those of the configuration.
        """
        # Only one thread holds a device; two may load side by side.
        if device not in self._loaded:
            self._loaded[device] = self.load(device, self._dtype_on(device), self._runs_on)
        return self._loaded[device]


def _position(pair: tuple[float, Any]) -> float:
    return pair[0]


def _first(*values: Any) -> Any:  # noqa: ANN401 - numbers of one kind
    return next(value for value in values if value is not None)


def _read_mask(sample: Sample, num_frames: int, reader: VideoReader) -> NDArray[np.bool_]:
    path = sample.condition.region_mask
    assert path is not None
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return reader.read_image(path)[None, ..., 0] > 127
    frames, _ = reader.read_frames(Clip(path=path, digest=""))
    if len(frames) != num_frames:
        raise DataError(
            f"Sample `{sample.id}` has a region mask of {len(frames)} frames for a clip of {num_frames}; expected as "
            "many, or an image. Cut the mask or ask for --num-frames."
        )
    return frames[..., 0] > 127
