"""Golden imaging_quality: MUSIQ's scores of the frames, the clip's score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.musiq_spaq import MusiqSpaq
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.networks.musiq import LAYERS, Musiq
from anisora.metrics.vbench.imaging_quality import ImagingQuality

__all__ = ["DIMENSION", "musiq_state"]


def musiq_state(seed: int, *, layers: int = LAYERS) -> Tensors:
    """Return MUSIQ's seeded state: the head is drawn so that scores lie around 50 and differ by about 10."""
    shapes = shapes_of(Musiq.empty(layers))
    gain = np.float32(10 / np.sqrt(shapes["head.weight"][1]))
    drawn = {"head.weight": lambda normal: normal * gain, "head.bias": lambda normal: normal * 0 + 50}
    return seeded_state(shapes, "musiq_spaq", seed, drawn=drawn)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    network = Musiq(states["musiq_spaq"])
    return {ImagingQuality().info.requests[0].extractor: MusiqSpaq(network=network)}


def _raw(
    item: Generation, _: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    request = ImagingQuality().info.requests[0]
    frames = features.get(item, request.extractor, request.sampling)["score"]
    return [("frame scores", frames, raw["frame_score"], float(tolerance["imaging_quality_frame_scores"]))]


DIMENSION = GoldenDimension(
    metric=ImagingQuality,
    states={"musiq_spaq": musiq_state},
    extractors=_extractors,
    raw=_raw,
    video_scale=100.0,
)
