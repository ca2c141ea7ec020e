"""The first features of each frame, which golden cases of the consistencies have beside the scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anisora.harness.protocols import FeatureReader
from anisora.harness.types import Generation, Score
from anisora.metrics.golden.dimension import Raw
from anisora.metrics.vbench.frame_consistency import FrameConsistency

__all__ = ["first_features"]


def first_features(
    metric: FrameConsistency, read: Callable[[Mapping[str, Any]], Any]
) -> Callable[[Generation, Score, FeatureReader, Mapping[str, Any], Mapping[str, Any]], Sequence[Raw]]:
    """Return the ``raw`` of a golden dimension: the first four features of each frame, to ten times its tolerance.

    Args:
        metric: The dimension's.
        read: From a clip's raw values to (frames, 4).
    """
    request = metric.info.requests[0]

    def raw(
        item: Generation, score: Score, features: FeatureReader, values: Mapping[str, Any], tolerance: Mapping[str, Any]
    ) -> Sequence[Raw]:
        ours = features.get(item, request.extractor, request.sampling)["embedding"][:, :4]
        return [("first features", ours, read(values), 10 * float(tolerance[metric.info.name]))]

    return raw
