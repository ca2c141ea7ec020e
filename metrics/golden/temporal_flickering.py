"""Golden temporal_flickering: no network, the clip's score alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from anisora.harness.protocols import FeatureReader
from anisora.harness.types import Generation, Score
from anisora.metrics.core.temporal_flickering import TemporalFlickering
from anisora.metrics.golden.dimension import GoldenDimension, Raw

__all__ = ["DIMENSION"]


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    return []


DIMENSION = GoldenDimension(metric=TemporalFlickering, states={}, extractors=lambda _: {}, raw=_raw)
