"""Golden subject_consistency: DINO's frame features, their cosines, the clip's score."""

from collections.abc import Mapping

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.dino_vitb16 import DinoVitb16
from anisora.metrics.golden.dimension import GoldenDimension, States, seeded_state
from anisora.metrics.golden.frame_features import first_features
from anisora.metrics.networks.dino import DinoVitB16
from anisora.metrics.vbench.subject_consistency import SubjectConsistency

__all__ = ["DIMENSION", "dino_state"]


def dino_state(seed: int) -> Tensors:
    """Return DINO's seeded state."""
    return seeded_state(shapes_of(DinoVitB16.empty()), "dino_vitb16", seed)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    return {"dino_vitb16": DinoVitb16("whole", network=DinoVitB16(states["dino_vitb16"]))}


DIMENSION = GoldenDimension(
    metric=SubjectConsistency,
    states={"dino_vitb16": dino_state},
    extractors=_extractors,
    raw=first_features(SubjectConsistency(), lambda values: values["cls_head4"]),
)
