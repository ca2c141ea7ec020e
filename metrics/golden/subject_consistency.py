"""Golden subject_consistency: DINO's frame features, their cosines, the clip's score."""

from collections.abc import Mapping, Sequence
from typing import Any

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.dino_vitb16 import DinoVitb16
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.networks.dino import DinoVitB16
from anisora.metrics.vbench.subject_consistency import SubjectConsistency

__all__ = ["DIMENSION", "dino_state"]


def dino_state(seed: int) -> Tensors:
    """Return DINO's seeded state."""
    return seeded_state(shapes_of(DinoVitB16.empty()), "dino_vitb16", seed)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    network = DinoVitB16(states["dino_vitb16"])
    return {SubjectConsistency().info.requests[0].extractor: DinoVitb16("whole", network=network)}


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    request = SubjectConsistency().info.requests[0]
    embeddings = features.get(item, request.extractor, request.sampling)["embedding"]
    return [("first features", embeddings[:, :4], raw["cls_head4"], 10 * float(tolerance["subject_consistency"]))]


DIMENSION = GoldenDimension(
    metric=SubjectConsistency, states={"dino_vitb16": dino_state}, extractors=_extractors, raw=_raw
)
