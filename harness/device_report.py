"""Compares a device with the CPU: tiny clips and metrics on random networks, for whoever verifies a device.

Random networks need no files and tell as much about a device's operators as trained ones.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from anisora.harness.device import Device, describe
from anisora.harness.errors import AnisoraError, ConfigError, MissingExtra
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Generator, Metric
from anisora.harness.types import Condition, FrameArray, Frames, Generation, Image, Sample

__all__ = ["Comparison", "DeviceReport", "compare_with_cpu"]

_SEED: Final = "0"
_LARGEST: Final = 500 * 10**6
"""Bytes of the networks of a metric; above it, random numbers take too long to draw. Networks that nobody counts are
taken as small enough."""
_DTYPES: Final = ("float32", "bfloat16")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One thing that was computed on both."""

    subject: str
    unit: str
    largest_difference: float | None = None
    """None where it could not be computed."""
    mean_difference: float | None = None
    seconds: float | None = None
    """On the device, what is loaded included."""
    seconds_cpu: float | None = None
    error: str = ""

    def __str__(self) -> str:
        """Return one line."""
        if self.error:
            return f"{self.subject}: {self.error}"
        return (
            f"{self.subject}: largest difference {self.largest_difference:.3g} {self.unit}, "
            f"{self.seconds:.1f} s, {self.seconds_cpu:.1f} s on the CPU"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """What a device gave in comparison with the CPU."""

    device: str
    environment: dict[str, Any]
    """Versions, devices, and in ``npu_fallbacks`` what the CPU computed for an NPU."""
    comparisons: tuple[Comparison, ...]

    @property
    def healthy(self) -> bool:
        """True if everything could be computed."""
        return not any(each.error for each in self.comparisons)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**asdict(self), "comparisons": [asdict(each) for each in self.comparisons]}


def compare_with_cpu(device: Device, *, told: Callable[[str], None] = lambda _: None) -> DeviceReport:
    """Compute everything on the CPU and on a device; what fails is a line of the report, never an exception.

    Args:
        device: The one to be verified.
        told: Is given one line for each comparison.
    """
    from PIL import Image as PillowImage

    from anisora.harness.render import ACTIONS, Scene, prompt_of, render
    from anisora.harness.runfolder import sha256_of_file

    scene = Scene(action=ACTIONS[0], seed=0, width=160, height=128, num_frames=9)
    frames = render(scene)
    found = []
    with tempfile.TemporaryDirectory() as folder, DecoderPool() as pool, _environment(ANISORA_UNTRAINED=_SEED):
        path = Path(folder) / "first.png"
        PillowImage.fromarray(frames[0]).save(path)
        image = Image(path=path, digest=sha256_of_file(path))
        sample = Sample(id="doctor", prompt=prompt_of(scene), condition=Condition(keyframes=((0.0, image),)))
        item = Generation(sample=sample, clip=FrameArray(frames=frames, fps=scene.fps), model="doctor")
        for name in _families():
            for dtype in _DTYPES:
                spec = f"{name}:tiny,dtype={dtype}"
                found.append(
                    _compared(f"clip of {spec}", "levels of 0 to 255", device, partial(_clip, spec, sample, pool))
                )
                told(str(found[-1]))
        for name in _metrics():
            found.append(_compared(f"metric {name}", "of the metric's unit", device, partial(_score, name, item, pool)))
            told(str(found[-1]))
    return DeviceReport(device=str(device), environment=describe(probe=True), comparisons=tuple(found))


def _compared(subject: str, unit: str, device: Device, compute: Callable[[], Any]) -> Comparison:
    try:
        (expected, on_cpu), (value, on_device) = (_timed(compute, where) for where in (Device(), device))
    except Exception as error:
        told = str(error) if isinstance(error, AnisoraError) else f"{type(error).__name__}: {error}"
        return Comparison(subject=subject, unit=unit, error=told)
    differences = np.abs(np.asarray(value, np.float64) - np.asarray(expected, np.float64))
    return Comparison(
        subject=subject,
        unit=unit,
        largest_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        seconds=round(on_device, 3),
        seconds_cpu=round(on_cpu, 3),
    )


def _timed(compute: Callable[[], Value], device: Device) -> tuple[Value, float]:
    begun = time.perf_counter()
    with _environment(ANISORA_DEVICE=str(device)):
        return compute(), time.perf_counter() - begun


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _families() -> list[str]:
    """Return one model of every class that has a tiny form, the first that animates a first frame."""
    from anisora.harness.registry import registry

    found: dict[type, str] = {}
    for name in registry("models").names():
        try:
            model: Generator = registry("models").create(f"{name}:tiny")
        except (ConfigError, MissingExtra):  # it has no tiny form
            continue
        if "i2v" in model.info.tasks:
            found.setdefault(type(model), name)
    return sorted(found.values())


def _clip(spec: str, sample: Sample, pool: DecoderPool) -> Frames:
    from anisora.harness.protocols import GenerationSettings
    from anisora.harness.registry import registry

    model: Generator = registry("models").create(spec)
    return model.generate(sample, seed=0, settings=GenerationSettings(), reader=pool).frames


def _metrics() -> list[str]:
    """Return the metrics whose networks run on devices, have a random form and are not too large for one."""
    from anisora.harness.extras import require_extra
    from anisora.harness.network_sizes import estimate_memory
    from anisora.harness.registry import registry
    from anisora.harness.residency import network_groups

    found = []
    for name in registry("metrics").names():
        metric: Metric = registry("metrics").create(name)
        infos = [registry("extractors").create(request.extractor).info for request in metric.info.requests]
        if metric.info.obstacle or metric.info.needs - {"prompt", "keyframes"}:
            continue
        if not any(info.runs_on_devices for info in infos):
            continue
        try:
            for info in infos:
                require_extra(info)
        except MissingExtra:
            continue
        if estimate_memory(network_groups({name: metric}), Device()).needed("all") <= _LARGEST:
            found.append(name)
    return found


def _score(name: str, item: Generation, pool: DecoderPool) -> float:
    from anisora.harness.features import FeatureStore
    from anisora.harness.networks import release_networks
    from anisora.harness.registry import registry
    from anisora.harness.stages.score import score_one

    metric: Metric = registry("metrics").create(name)
    try:
        score = score_one(metric, item, FeatureStore(pool=pool))
    finally:
        release_networks()
    if score.value is None:
        raise AnisoraError(f"Metric `{name}` was left unscored: {score.note}")
    return score.value
