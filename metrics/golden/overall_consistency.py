"""Golden overall_consistency: ViCLIP's features of clip and prompt, their cosine, the clip's score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.viclip import Viclip
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.networks.viclip import PUBLISHED, UNUSED_KEYS, Architecture, ViClip
from anisora.metrics.vbench.overall_consistency import OverallConsistency

__all__ = ["DIMENSION", "viclip_shapes", "viclip_state"]


def viclip_shapes(architecture: Architecture = PUBLISHED) -> dict[str, tuple[int, ...]]:
    """Return {key: shape} of the published file, with the number that the network does not use."""
    return shapes_of(ViClip.empty(architecture)) | dict.fromkeys(UNUSED_KEYS, ())


def viclip_state(seed: int, architecture: Architecture = PUBLISHED) -> Tensors:
    """Return ViCLIP's seeded state."""
    return seeded_state(viclip_shapes(architecture), "viclip", seed)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    return {"viclip": Viclip(network=ViClip(states["viclip"]))}


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    request = OverallConsistency.info.requests[0]
    found = features.get(item, request.extractor, request.sampling)
    allowed = float(tolerance["overall_consistency"])
    return [
        ("video features", _first_four(found["video"]), raw["vid_head4"], allowed),
        ("text features", _first_four(found["text"]), raw["txt_head4"], allowed),
    ]


def _first_four(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the first four numbers of the normalised vectors, as the case has them."""
    first: NDArray[np.floating] = (features / np.linalg.norm(features, axis=1, keepdims=True))[:, :4]
    return first


DIMENSION = GoldenDimension(
    metric=OverallConsistency, states={"viclip": viclip_state}, extractors=_extractors, raw=_raw
)
