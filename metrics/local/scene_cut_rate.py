"""How often a clip cuts to another shot."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["CUT_THRESHOLD", "SceneCutRate", "cut_frames"]

CUT_THRESHOLD: Final = 0.5
"""Probability above which a frame is the last of its shot; the authors' choice."""


def cut_frames(probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the first frame of each shot after the first.

    Frames above the threshold that follow one another are one transition, and the new shot begins after them. One
    that reaches an end of the clip has no shot on that side and is no cut.

    Args:
        probabilities: (frames,) 0..1.

    Returns:
        (cuts,) indices of frames, rising.
    """
    above = np.concatenate([[False], np.asarray(probabilities) > CUT_THRESHOLD, [False]]).astype(np.int8)
    starts = np.flatnonzero(np.diff(above) == 1)
    ends = np.flatnonzero(np.diff(above) == -1)
    inside = (starts > 0) & (ends < len(probabilities))
    return np.asarray(ends[inside], np.int64)


class SceneCutRate:
    """Cuts a second; a clip made from one image should have none."""

    info = MetricInfo(
        name="scene_cut_rate",
        title="Scene cut rate",
        version=1,
        direction="lower",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="transnet_v2", sampling=FrameSampling()),),
        source="Soucek and Lokoc 2020, TransNet V2, single-frame head with threshold 0.5",
        group="local",
        unit="cuts per second",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has ``probability`` by frame, and the first frames of new shots (``cuts``).

        Returns:
            Value from 0 upwards, in cuts a second.
        """
        request = self.info.requests[0]
        probability = features.get(item, request.extractor, request.sampling)["probability"][0]
        stream = features.stream(item)
        cuts = cut_frames(probability)
        parts = {"probability": probability.tolist()} | ({"cuts": cuts.tolist()} if len(cuts) else {})
        return scored(item, len(cuts) * stream.fps / stream.num_frames, parts=parts)
