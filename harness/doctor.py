"""Examines this machine: versions, devices, weights, one tiny run, each network on a picture it must know."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from anisora.harness.device import describe
from anisora.harness.errors import AnisoraError, MissingExtra, WeightsMissing

__all__ = ["Check", "Report", "examine"]

_CV2_BUILDS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")


class _AbsentError(Exception):
    """Something optional is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at."""

    name: str
    healthy: bool
    detail: str
    present: bool = True
    """False for something optional that is not installed, which is no fault."""

    @property
    def word(self) -> str:
        """``ok``, ``absent`` or ``FAILED``."""
        return "FAILED" if not self.healthy else "ok" if self.present else "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    environment: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """True if every check passed."""
        return all(check.healthy for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        checks = [
            {"name": check.name, "healthy": check.healthy, "present": check.present, "detail": check.detail}
            for check in self.checks
        ]
        return {"environment": self.environment, "checks": checks, "healthy": self.healthy}

    def as_text(self) -> str:
        """Return the block to paste in a bug report."""
        lines = []
        for name, value in self.environment.items():
            if isinstance(value, dict):
                lines += [f"{name}: " + ", ".join(f"{key} {item}" for key, item in value.items())]
            else:
                lines.append(f"{name}: {value}")
        lines += [f"[{check.word}] {check.name}: {check.detail}" for check in self.checks]
        return "\n".join(lines)


def examine() -> Report:
    """Look at everything; a check that fails is a line of the report, never an exception."""
    checks = [
        _run(name, check)
        for name, check in (
            ("opencv", _one_opencv),
            ("weights", _weights),
            ("tiny run", _tiny_run),
            *_known_answers(),
        )
    ]
    return Report(environment=describe(probe=True), checks=tuple(checks))


def _run(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name=name, healthy=True, detail=check())
    except _AbsentError as absent:
        return Check(name=name, healthy=True, detail=str(absent), present=False)
    except AnisoraError as error:
        return Check(name=name, healthy=False, detail=str(error))
    except Exception as error:
        return Check(name=name, healthy=False, detail=f"{type(error).__name__}: {error}")


def _one_opencv() -> str:
    found = []
    for name in _CV2_BUILDS:
        try:
            found.append(f"{name} {distribution(name).version}")
        except PackageNotFoundError:
            continue
    if len(found) != 1:
        raise AnisoraError(
            f"found {' and '.join(found) or 'no OpenCV'}; expected one build, as several overwrite each "
            "other. Repair: pip uninstall -y " + " ".join(_CV2_BUILDS) + " && pip install "
            "--force-reinstall --no-deps opencv-python-headless"
        )
    return found[0]


def _weights() -> str:
    from anisora.harness.weights import list_entries, locate

    entries = list_entries()
    missing = []
    for entry in entries:
        try:
            locate([entry.name])
        except AnisoraError:
            missing.append(entry.name)
    if not entries:
        return "none needed by what is installed"
    found = f"{len(entries) - len(missing)} of {len(entries)} found"
    return f'{found}; missing: {", ".join(missing)} (see "anisora list weights")' if missing else found


def _tiny_run() -> str:
    """Render, encode, decode and score one clip; lossless encoding must give back the very same scores."""
    from anisora.harness.features import FeatureStore
    from anisora.harness.media.decoder import DecoderPool
    from anisora.harness.protocols import Metric
    from anisora.harness.registry import registry
    from anisora.harness.render import ACTIONS, Scene, render
    from anisora.harness.runfolder import sha256_of_file
    from anisora.harness.stages.score import score_one
    from anisora.harness.types import Clip, FrameArray, Generation, Sample

    scene = Scene(action=ACTIONS[0], seed=0, width=64, height=48, num_frames=6)
    frames = render(scene)
    with tempfile.TemporaryDirectory() as folder, FeatureStore(pool=DecoderPool()) as store:
        path = Path(folder) / "clip.mkv"
        store.pool.encode(frames, fps=scene.fps, path=path)
        sample = Sample(id="doctor")
        on_disk = Generation(sample=sample, clip=Clip(path=path, digest=sha256_of_file(path)), model="doctor")
        in_memory = Generation(sample=sample, clip=FrameArray(frames=frames, fps=scene.fps), model="doctor")
        compared = 0
        for name in registry("metrics").names():
            metric: Metric = registry("metrics").create(name)
            if metric.info.group != "core" or metric.info.needs:
                continue
            left, right = score_one(metric, on_disk, store).value, score_one(metric, in_memory, store).value
            if left != right or left is None:
                raise AnisoraError(
                    f"metric `{name}` gave {left!r} for a lossless file and {right!r} for its frames; "
                    "expected equal numbers"
                )
            compared += 1
    return f"{compared} metrics give equal numbers for a lossless file and for its frames"


def _known_answers() -> list[tuple[str, Callable[[], str]]]:
    """Return a check for every extractor that can tell whether it works."""
    from anisora.harness.protocols import SelfChecking
    from anisora.harness.registry import registry

    extractors = {name: registry("extractors").create(name) for name in registry("extractors").names()}
    return [
        (f"extractor {name}", partial(_known_answer, extractor))
        for name, extractor in extractors.items()
        if isinstance(extractor, SelfChecking)
    ]


def _known_answer(extractor: Any) -> str:  # noqa: ANN401 - an extractor that is self-checking
    """Run the extractor's own check.

    Raises:
        _AbsentError: It is optional and not installed.
    """
    from anisora.harness.extras import require_extra
    from anisora.harness.weights import is_present, locate

    try:
        require_extra(extractor.info)
        locate(name for name in extractor.info.weights if not is_present(name))
    except (MissingExtra, WeightsMissing) as error:
        raise _AbsentError(str(error)) from error
    found: str = extractor.known_answer()
    return found
