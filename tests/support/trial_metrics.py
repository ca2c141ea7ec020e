"""Metrics and items made for tests of the stages."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anisora.harness.protocols import FeatureReader, MetricInfo
from anisora.harness.registry import registry
from anisora.harness.runfolder import ScoreRow
from anisora.harness.types import Clip, Condition, FrameSampling, Generation, Image, Sample, Score, StreamInfo

__all__ = ["Stream", "TrialMetric", "make_info", "make_item", "make_row", "make_sample", "registered"]


def make_info(name: str = "trial", **fields: Any) -> MetricInfo:
    """Who a metric without extractors is."""
    given: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "version": 1,
        "direction": "higher",
        "value_range": (0.0, 1.0),
        "requests": (),
        "source": "tests",
        "group": "trial",
    }
    return MetricInfo(**{**given, **fields})


class TrialMetric:
    """Gives what a function of the item gives."""

    def __init__(self, score: Callable[[Generation], Any] = lambda _: 0.5, **fields: Any) -> None:
        self.info = make_info(**fields)
        self._score = score
        self.calls = 0

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip."""
        self.calls += 1
        made = self._score(item)
        return made if isinstance(made, Score) else Score(sample_id=item.sample.id, seed=item.seed, value=made)


class Stream:
    """A feature reader that knows nothing but the length of clips."""

    def __init__(self, num_frames: int = 8) -> None:
        self._info = StreamInfo(fps=24.0, num_frames=num_frames, height=8, width=8, codec="x", pixel_format="y")

    def stream(self, item: Generation) -> StreamInfo:
        """Return the same for every clip."""
        return self._info

    def get(self, item: Generation, extractor: str, sampling: FrameSampling) -> Mapping[str, Any]:
        """Return no feature."""
        return {}


def make_sample(name: str = "a", **fields: Any) -> Sample:
    """An item with prompt, image, mask and ground truth, unless told otherwise."""
    given: dict[str, Any] = {
        "prompt": "a girl walks",
        "condition": Condition(
            keyframes=((0.0, Image(path=Path("a.png"), digest="i")),), region_mask=None, motion_score=None
        ),
        "label": "walk",
        "ground_truth": Clip(path=Path("a.mp4"), digest="t"),
    }
    return Sample(id=name, **{**given, **fields})


def make_item(name: str = "a", seed: int = 0, **fields: Any) -> Generation:
    """A clip of an item; the file exists in name only."""
    clip = Clip(path=Path(f"{name}.mp4"), digest=f"d-{name}")
    return Generation(sample=make_sample(name, **fields), clip=clip, model="m", seed=seed)


def make_row(item: str = "a", value: float | None = 0.5, **fields: Any) -> ScoreRow:
    """A row of the metric ``trial``."""
    given: dict[str, Any] = {
        "seed": 0,
        "cluster": item,
        "metric": "trial",
        "metric_version": 1,
        "weight": 1.0,
        "status": "unscored" if value is None else "ok",
        "note": "",
        "parts": {},
    }
    return ScoreRow(item_id=item, value=value, **{**given, **fields})


@contextmanager
def registered(kind: str, **targets: Any) -> Iterator[None]:
    """Register objects for the length of a test."""
    names = registry(kind)
    for name, target in targets.items():
        names.register(name, target)
    try:
        yield
    finally:
        for name in targets:
            del names._targets[name]
