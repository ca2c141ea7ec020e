"""How VBench compares the frames of a clip with each other, whatever network sees them."""

from dataclasses import replace

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored
from anisora.metrics.vbench.similarity import consistency_terms

__all__ = ["FrameConsistency"]


class FrameConsistency:
    """Mean similarity of each frame to the one before and to the first."""

    def __init__(self, name: str, title: str, extractor: str) -> None:
        """Name the metric and what it sees through.

        Args:
            name: Of the metric; also of the file and the function of VBench.
            title: The same for people.
            extractor: Gives ``embedding`` (frames, n).
        """
        self.info = MetricInfo(
            name=name,
            title=title,
            version=1,
            direction="higher",
            value_range=(0.0, 1.0),
            requests=(FeatureRequest(extractor=extractor, sampling=FrameSampling()),),
            source=f"VBench, vbench/{name}.py, {name}",
            group="vbench",
            min_frames=2,
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has the similarity of every frame but the first.

        The score weighs as many frames as it compares, so that the aggregate is VBench's of a single process: the mean
        over all frames of all clips.

        Returns:
            Value in 0..1.
        """
        request = self.info.requests[0]
        terms = consistency_terms(features.get(item, request.extractor, request.sampling)["embedding"])
        return replace(scored(item, terms.mean(), parts={"frames": terms.tolist()}), weight=float(len(terms)))
