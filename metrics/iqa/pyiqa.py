"""A bridge to pyiqa: its measures of pictures as metrics of clips, by their mean over frames."""

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.registry import SpecValue
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.ground_truth import compare
from anisora.metrics.iqa.measures import LICENCE, MEASURES, measure_named, value_range
from anisora.metrics.scoring import scored, unscored

__all__ = ["Pyiqa"]


class Pyiqa:
    """Mean over all frames of a measure of pyiqa that needs no weights."""

    def __init__(self, **measure: SpecValue) -> None:
        """Choose the measure.

        Args:
            **measure: The name of one as a bare word: ``pyiqa:vif``; without any, ``piqe``.

        Raises:
            ConfigError: It is none that needs no weights; the message has those that are served.
        """
        name = measure_named(measure)
        facts = MEASURES[name]
        sampling = FrameSampling()
        spelled = f"pyiqa:{name}" if measure else "pyiqa"
        requests = [FeatureRequest(extractor=spelled, sampling=sampling)]
        if facts.compares:  # knows whether clip and ground truth may be compared at all
            requests.append(FeatureRequest(extractor="frame_fidelity", sampling=sampling))
        self.info = MetricInfo(
            name=spelled,
            title=f"pyiqa {name}",
            version=1,
            direction=facts.direction,
            value_range=value_range(facts.score_range),
            requests=tuple(requests),
            source=f"pyiqa 0.1.16, create_metric({name!r})",
            group="bridge",
            needs=frozenset({"ground_truth"}) if facts.compares else frozenset(),
            licence=LICENCE,
            commercial_use=False,
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame, or each that was compared with the ground truth.

        Returns:
            Value in the measure's own unit; None where size or frame rate differ from the ground truth's.
        """
        note = ""
        if len(self.info.requests) > 1:
            fidelity = self.info.requests[1]
            comparison = compare(features.get(item, fidelity.extractor, fidelity.sampling), features.stream(item))
            if comparison.obstacle:
                return unscored(item, comparison.obstacle)
            note = comparison.note
        request = self.info.requests[0]
        frames = features.get(item, request.extractor, request.sampling)["score"]
        return scored(item, frames.mean(), parts={"frames": frames.tolist()}, note=note)
