"""Golden background_consistency: CLIP's frame features, their cosines, the clip's score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.clip_vit_b32 import TOWER, ClipVitB32
from anisora.metrics.golden.clip_states import clip_state
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States
from anisora.metrics.networks.clip import ClipImageTower
from anisora.metrics.vbench.background_consistency import BackgroundConsistency

__all__ = ["DIMENSION"]


def _tower(seed: int) -> Tensors:
    return clip_state(TOWER, "clip_vit_b32", seed)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    return {"clip_vit_b32": ClipVitB32(network=ClipImageTower(TOWER, states["clip_vit_b32"]))}


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    request = BackgroundConsistency.info.requests[0]
    embeddings = features.get(item, request.extractor, request.sampling)["embedding"]
    theirs = np.asarray(raw["feat_head4"])[0]
    return [("first features", embeddings[:, :4], theirs, 10 * float(tolerance["background_consistency"]))]


DIMENSION = GoldenDimension(
    metric=BackgroundConsistency,
    states={"clip_vit_b32": _tower},
    extractors=_extractors,
    raw=_raw,
    undigested=frozenset({"clip_vit_b32"}),
)
