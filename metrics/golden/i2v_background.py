"""Golden i2v_background: the clip's score by DreamSim's embeddings of the image and of the frames."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.dreamsim_ensemble import DreamsimEnsemble
from anisora.metrics.extractors.dreamsim_ensemble_images import DreamsimEnsembleImages
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.networks.dreamsim import PUBLISHED, Architecture, DreamSim, adapter_shapes
from anisora.metrics.vbench.i2v_background import I2vBackground

__all__ = ["DIMENSION", "TAGS", "dreamsim_state"]

TAGS: Final = {
    "dino": "dino_vitb16",
    "clip": "dreamsim_clip_vitb16",
    "open_clip": "dreamsim_open_clip_vitb16",
    "adapter": "dreamsim_lora",
}
"""{part of the network: its tag}; the tag dreamsim_dino_head is of a head that the embedding does not use."""


def dreamsim_state(part: str, seed: int, architecture: Architecture = PUBLISHED) -> Tensors:
    """Return the seeded state of a tower, or of the adapter."""
    shapes = adapter_shapes(architecture) if part == "adapter" else shapes_of(DreamSim.empty_tower(part, architecture))
    return seeded_state(shapes, TAGS[part], seed)


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    network = DreamSim({part: states[tag] for part, tag in TAGS.items()})
    frames, images = I2vBackground().info.requests
    return {
        frames.extractor: DreamsimEnsemble(network=network),
        images.extractor: DreamsimEnsembleImages(network=network),
    }


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    return []  # the case has no raw values of this dimension


DIMENSION = GoldenDimension(
    metric=I2vBackground,
    states={tag: partial(dreamsim_state, part) for part, tag in TAGS.items()},
    extractors=_extractors,
    raw=_raw,
)
