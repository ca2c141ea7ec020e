"""A run as a value: what was asked (RunSpec) and what came out (RunRecord), both plain JSON.

The record holds everything needed to show, compare, verify and repeat a run without its media.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from anisora.harness.media.encoding import DEFAULT_ENCODER

__all__ = [
    "Counters",
    "Json",
    "MetricResult",
    "Protocol",
    "RunRecord",
    "RunSpec",
    "canonical_json",
    "digest_of",
]

SCHEMA_VERSION = 1

Json = str | int | float | bool | None | list[Any] | dict[str, Any]


def canonical_json(value: object) -> str:
    """Write JSON in one way only: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: object) -> str:
    """Return the sha256 of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSpec(_Strict):
    """What was asked, resolved: the same spec gives the same rows."""

    suite: str
    suite_version: int
    suite_source: str = ""
    """Where the suite is read from again: its name, or the path of its file."""
    track: str | None = None
    model: str
    """The name in tables."""
    model_spec: str
    """``name:key=value`` of the adapter; ``recorded`` for clips that exist."""
    videos: list[str] = []
    """Folders or manifests given, absolute; several only for ``custom``, whose items are those of all of them."""
    system: int = 0
    """Which of ``videos`` holds this run's clips."""
    match: Literal["name", "order"] = "name"
    allow_missing: bool = False
    settings: dict[str, Json] = {}
    """GenerationSettings that were given."""
    seeds: list[int]
    metrics: list[str]
    fps: float | None = None
    """Frame rate for clips that carry none, such as folders of frames."""
    decode: Literal["reference", "tagged"] = "reference"
    decoder: Literal["av", "decord"] = "av"
    encoder: str = DEFAULT_ENCODER
    device: str = "auto"
    dtype: str = "float32"
    limit: int | None = None
    labels: list[str] | None = None
    subset: int | None = None
    """Items drawn by label to stand for the whole suite."""
    subset_seed: int = 0


class MetricResult(_Strict):
    """One cell of a table: an aggregate with its interval and its coverage."""

    metric: str
    version: int
    direction: Literal["higher", "lower", "reference"]
    value: float | None
    """In natural units; None when nothing could be scored."""
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    interval: str = ""
    """How the interval was made; empty where there is none, with the reason in ``interval_note``."""
    interval_note: str = ""
    standard_error: float | None = None
    unweighted: float | None = None
    """The mean in which every item counts once; differs from ``value`` where a metric weighs its clips, as some of
    VBench weigh them by their frames. None where nothing was scored, and of subsets."""
    scored: int
    unscored: int
    errors: int
    clusters: int


class Protocol(_Strict):
    """Everything that must be equal for two numbers to share a table."""

    fields: dict[str, Json]
    """Of the run: items, seeds, frame rate and length policy, encoder, decode mode, ..."""
    metrics: dict[str, dict[str, Json]] = {}
    """Of each metric: version, extractors, sampling, preprocessing, weight digests."""

    @property
    def digest(self) -> str:
        """One fingerprint over all of it."""
        return digest_of({"fields": self.fields, "metrics": self.metrics})

    def differences(self, other: "Protocol", metrics: Iterable[str] | None = None) -> dict[str, tuple[Json, Json]]:
        """Return {field: (mine, theirs)}; metrics are compared where both have them, as ``metric.field``.

        Args:
            other: The protocol of another run.
            metrics: Restrict the metric fields to these.
        """
        found = {
            name: (self.fields.get(name), other.fields.get(name))
            for name in sorted(set(self.fields) | set(other.fields))
            if self.fields.get(name) != other.fields.get(name)
        }
        shared = set(self.metrics) & set(other.metrics)
        for metric in sorted(shared if metrics is None else shared & set(metrics)):
            mine, theirs = self.metrics[metric], other.metrics[metric]
            for name in sorted(set(mine) | set(theirs)):
                if mine.get(name) != theirs.get(name):
                    found[f"{metric}.{name}"] = (mine.get(name), theirs.get(name))
        return found


class Counters(_Strict):
    """Work that was done in the last session of a run; zero decodes means that all came from the cache."""

    decodes: int = 0
    """Video files opened to decode pixels."""
    redecodes: int = 0
    """Of these, second passes because a container's frame count was wrong."""
    frames: int = 0
    """Frames decoded and handed to extractors."""
    forwards: dict[str, int] = {}
    """Windows given to each extractor, padding not counted."""
    shared_windows: int = 0
    """Windows whose bytes equalled an earlier one's and were not computed again."""
    cache_hits: int = 0
    cache_misses: int = 0
    cache_damaged: int = 0
    """Entries that failed their checksum and were computed again."""
    cache_write_failures: int = 0


class RunRecord(_Strict):
    """What came out of a run."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    status: Literal["ok", "partial", "failed"]
    started: str
    """ISO 8601, UTC."""
    finished: str
    spec: RunSpec
    results: list[MetricResult]
    protocol: Protocol
    made_by: dict[str, Json] = {}
    """What is known of the model: base, revision, licence; of a recorded system also who makes it. Empty where nothing
    is."""
    environment: dict[str, Json]
    weights: dict[str, str] = {}
    """{ledger name: sha256}"""
    untrained: str | None = None
    """The rule and seed of random weights; such a run never shares a table with others."""
    reference: bool = False
    """True for ground truth: shown apart, never bold."""
    items: int
    """Items planned; coverage is told against it."""
    population: dict[str, int] | None = None
    """Of a subset: {stratum: items of the whole suite}, which its results estimate."""
    missing: list[str] = []
    """Planned items that have no clip."""
    excluded: dict[str, str] = {}
    """Metrics that were left out of a run without a suite, with the reason."""
    errors: int = 0
    counters: Counters = Field(default_factory=Counters)
    timings: dict[str, float] = {}
    """Seconds by stage; outside every fingerprint."""
    files: dict[str, str] = {}
    """{file of the run folder: sha256}, for verification."""
    git: dict[str, Json] = {}

    @property
    def suite_key(self) -> str:
        """``suite@version`` with its track, if any: runs of one key may share a table."""
        track = f":{self.spec.track}" if self.spec.track else ""
        return f"{self.spec.suite}@{self.spec.suite_version}{track}"

    def result(self, metric: str) -> MetricResult | None:
        """Return the cell of a metric, or None."""
        return next((result for result in self.results if result.metric == metric), None)


def finite_or_none(value: float | None) -> float | None:
    """Return the value, or None for NaN and infinities, which JSON does not have."""
    return value if value is not None and math.isfinite(value) else None


def merge_counts(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    """Add two tables of counts."""
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted(set(left) | set(right))}
