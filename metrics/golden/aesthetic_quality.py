"""Golden aesthetic_quality: the scores of frames, the clip's score."""

from collections.abc import Mapping, Sequence
from typing import Any

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.laion_aesthetic import LaionAesthetic
from anisora.metrics.golden.clip_states import clip_state
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.networks.laion_aesthetic_linear import TOWER, AestheticPredictor
from anisora.metrics.vbench.aesthetic_quality import AestheticQuality

__all__ = ["DIMENSION"]


def _tower(seed: int) -> Tensors:
    return clip_state(TOWER, "clip_vit_l14", seed)


def _head(seed: int) -> Tensors:
    shapes = shapes_of(AestheticPredictor.empty_head())
    drawn = {"weight": lambda normal: normal, "bias": lambda normal: normal * 0 + 5}
    return seeded_state(shapes, "aesthetic", seed, drawn=drawn)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    network = AestheticPredictor(states["clip_vit_l14"], states["aesthetic"])
    return {"laion_aesthetic": LaionAesthetic(network=network)}


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    request = AestheticQuality.info.requests[0]
    frames = features.get(item, request.extractor, request.sampling)["score"]
    return [("frame scores", frames, raw["frame_score"], 10 * float(tolerance["aesthetic_quality"]))]


DIMENSION = GoldenDimension(
    metric=AestheticQuality,
    states={"clip_vit_l14": _tower, "aesthetic": _head},
    extractors=_extractors,
    raw=_raw,
    undigested=frozenset({"clip_vit_l14"}),
)
