"""What every metric must satisfy, in one call: MetricTester.check(metric, oracle, cases)."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.media.sampling import sample_indices
from anisora.harness.protocols import (
    Batch,
    ExtractorInfo,
    FeatureExtractor,
    FeatureReader,
    FeatureRequest,
    Features,
    Metric,
)
from anisora.harness.registry import registry
from anisora.harness.stages.score import score_one
from anisora.harness.types import (
    Clip,
    Condition,
    FrameArray,
    Frames,
    FrameSampling,
    Generation,
    Image,
    Sample,
    Score,
    StreamInfo,
)

__all__ = ["Case", "MemoryFeatures", "MetricTester", "Oracle"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A clip in memory with what the metric may compare it with."""

    name: str
    clip: FrameArray
    ground_truth: FrameArray | None = None
    images: tuple[tuple[float, Frames], ...] = ()
    region_mask: np.ndarray[Any, Any] | None = None

    @property
    def item(self) -> Generation:
        """The generation that is scored; its files exist in name only."""
        truth = self.ground_truth
        sample = Sample(
            id=self.name,
            condition=Condition(
                keyframes=tuple(
                    (
                        position,
                        Image(path=Path(f"{place}.png"), digest=hashlib.sha256(image.tobytes()).hexdigest()),
                    )
                    for place, (position, image) in enumerate(self.images)
                ),
                region_mask=None if self.region_mask is None else Path("mask.png"),
            ),
            ground_truth=None if truth is None else Clip(path=Path("truth.mkv"), digest=truth.digest, fps=truth.fps),
        )
        return Generation(sample=sample, clip=self.clip, model="case")


Oracle = Callable[[Case], float | None]
"""The value by another road, or None where the metric must leave the clip unscored."""

ReaderFactory = Callable[[Case, int, bool], FeatureReader]
"""From a case, the windows in one batch, and whether the batches are taken backwards, to a fresh reader."""


@dataclass
class MemoryFeatures:
    """Runs the registered extractors over the windows of one case: no decoding, no cache, no sharing."""

    case: Case
    batch_size: int = 1
    backwards: bool = False
    asked: set[FeatureRequest] = field(default_factory=set)

    def stream(self, item: Generation) -> StreamInfo:
        """Return the clip's frame rate, size and length."""
        assert item.clip is self.case.clip
        return _stream(self.case.clip)

    def get(self, item: Generation, extractor: str, sampling: FrameSampling) -> Features:
        """Return one row per window, in time order."""
        assert item.clip is self.case.clip
        self.asked.add(FeatureRequest(extractor=extractor, sampling=sampling))
        made: FeatureExtractor = registry("extractors").create(extractor)
        windows = list(_windows(self._indices(made.info, sampling), made.info))
        batches = [windows[start : start + self.batch_size] for start in range(0, len(windows), self.batch_size)]
        order = reversed(range(len(batches))) if self.backwards else range(len(batches))
        rows = {place: self._extract(made, np.stack(batches[place])) for place in order}
        return {name: np.concatenate([rows[place][name] for place in sorted(rows)]) for name in rows[0]} if rows else {}

    def _indices(self, info: ExtractorInfo, sampling: FrameSampling) -> np.ndarray[Any, Any]:
        stream = _stream(self.case.clip)
        positions = [position for position, _ in self.case.images]
        indices = sample_indices(sampling, num_frames=stream.num_frames, fps=stream.fps, positions=positions)
        if "ground_truth" in info.needs:
            assert self.case.ground_truth is not None
            indices = indices[indices < len(self.case.ground_truth.frames)]
        return indices

    def _extract(self, extractor: FeatureExtractor, indices: np.ndarray[Any, Any]) -> dict[str, Any]:
        needs, truth = extractor.info.needs, self.case.ground_truth
        compared = truth if "ground_truth" in needs else None
        rows = extractor.extract(
            Batch(
                frames=self.case.clip.frames[indices],
                indices=indices,
                stream=_stream(self.case.clip),
                reference=None if compared is None else compared.frames[indices],
                reference_stream=None if compared is None else _stream(compared),
                images=self.case.images if "keyframes" in needs else (),
                region_mask=self.case.region_mask if "region_mask" in needs else None,
            )
        )
        assert {len(array) for array in rows.values()} == {len(indices)}, "one row per window"
        return rows


def _windows(indices: np.ndarray[Any, Any], info: ExtractorInfo) -> Iterator[np.ndarray[Any, Any]]:
    for start in range(0, len(indices) - info.window + 1, info.stride):
        yield indices[start : start + info.window]


def _stream(source: FrameArray) -> StreamInfo:
    length, height, width, _ = source.frames.shape
    return StreamInfo(
        fps=source.fps,
        num_frames=length,
        height=height,
        width=width,
        codec="memory",
        pixel_format="rgb24",
    )


class MetricTester:
    """Checks metrics against oracles. The reader can be replaced by one over the real feature store."""

    def __init__(self, reader: ReaderFactory = MemoryFeatures) -> None:
        self._reader = reader

    def score(self, metric: Metric, case: Case, *, batch_size: int = 1, backwards: bool = False) -> Score:
        """Score a case as a run does."""
        return score_one(metric, case.item, self._reader(case, batch_size, backwards))

    def check(self, metric: Metric, oracle: Oracle, cases: Sequence[Case], *, tolerance: float = 1e-9) -> None:
        """Assert all that a metric promises.

        Value equals oracle; range kept; None with a reason where the oracle gives None; the same bits again,
        in batches of 8 and backwards; nothing asked for but what it announces; complete information.
        """
        self.check_info(metric)
        answers = [oracle(case) for case in cases]
        assert any(answer is not None for answer in answers), "no case has a value"
        assert any(answer is None for answer in answers), "no case is impossible"
        for case, expected in zip(cases, answers, strict=True):
            found = self.score(metric, case)
            if expected is None:
                assert found.value is None, f"{case.name}: {found.value} where nothing can be said"
                assert len(found.note) > 20, f"{case.name}: the note {found.note!r} gives no reason"
                continue
            assert found.value is not None, f"{case.name}: unscored, {found.note}"
            assert math.isclose(found.value, expected, rel_tol=tolerance, abs_tol=tolerance), (
                f"{case.name}: {found.value!r}, expected {expected!r}"
            )
            low, high = metric.info.value_range
            assert low <= found.value <= high, f"{case.name}: {found.value} outside {low}..{high}"
            assert all(len(values) > 0 for values in found.parts.values())
            self._check_same_bits(metric, case, found)

    def _check_same_bits(self, metric: Metric, case: Case, found: Score) -> None:
        for batch_size, backwards in ((1, False), (8, False), (1, True), (3, True)):
            again = self.score(metric, case, batch_size=batch_size, backwards=backwards)
            assert again.value == found.value, (
                f"{case.name}: batches of {batch_size}, backwards={backwards}, change the value"
            )
            for name, values in found.parts.items():
                np.testing.assert_array_equal(again.parts[name], values)
        reader = MemoryFeatures(case)
        metric.score(case.item, reader)
        assert reader.asked <= set(metric.info.requests), "asks for features that it does not announce"

    def check_info(self, metric: Metric) -> None:
        """Assert that a metric says who it is, under one name everywhere, and that its extractors exist."""
        info = metric.info
        assert registry("metrics").get(info.name) is type(metric)
        assert type(metric).__name__ == _camel_case(info.name)
        assert type(metric).__module__.rpartition(".")[2] == info.name
        assert info.title
        assert info.source
        assert info.version >= 1
        assert info.value_range[0] < info.value_range[1]
        assert info.requests
        for request in info.requests:
            extractor: FeatureExtractor = registry("extractors").create(request.extractor)
            assert extractor.info.name == request.extractor
            assert type(extractor).__name__ == _camel_case(request.extractor)
            assert type(extractor).__module__.rpartition(".")[2] == request.extractor
            assert extractor.info.summary
            assert extractor.info.needs <= info.needs


def _camel_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
