"""Golden background_consistency: CLIP's frame features, their cosines, the clip's score."""

from collections.abc import Mapping

from anisora.harness.protocols import FeatureExtractor
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.clip_vit_b32 import TOWER, ClipVitB32
from anisora.metrics.golden.clip_states import clip_state
from anisora.metrics.golden.dimension import GoldenDimension, States
from anisora.metrics.golden.frame_features import first_features
from anisora.metrics.networks.clip import ClipImageTower
from anisora.metrics.vbench.background_consistency import BackgroundConsistency

__all__ = ["DIMENSION"]


def _tower(seed: int) -> Tensors:
    return clip_state(TOWER, "clip_vit_b32", seed)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    return {"clip_vit_b32": ClipVitB32(network=ClipImageTower(TOWER, states["clip_vit_b32"]))}


DIMENSION = GoldenDimension(
    metric=BackgroundConsistency,
    states={"clip_vit_b32": _tower},
    extractors=_extractors,
    raw=first_features(BackgroundConsistency(), lambda values: values["feat_head4"][0]),
    undigested=frozenset({"clip_vit_b32"}),
)
