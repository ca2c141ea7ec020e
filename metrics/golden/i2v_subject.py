"""Golden i2v_subject: DINO's features of the image and of the frames, the clip's score."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.metrics.extractors.dino_vitb16 import DinoVitb16
from anisora.metrics.extractors.dino_vitb16_images import DinoVitb16Images
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States
from anisora.metrics.golden.subject_consistency import dino_state
from anisora.metrics.networks.dino import DinoVitB16
from anisora.metrics.vbench.i2v_subject import I2vSubject

__all__ = ["DIMENSION", "LEGACY"]


def _extractors(variant: str, states: States) -> Mapping[str, FeatureExtractor]:
    network = DinoVitB16(states["dino_vitb16"])
    frames, images = I2vSubject(variant).info.requests
    return {
        frames.extractor: DinoVitb16("cropped", variant, network=network),
        images.extractor: DinoVitb16Images(network=network),
    }


def _raw(
    variant: str,
    item: Generation,
    score: Score,
    features: FeatureReader,
    raw: Mapping[str, Any],
    tolerance: Mapping[str, Any],
) -> Sequence[Raw]:
    frames, images = (
        features.get(item, request.extractor, request.sampling)["embedding"]
        for request in I2vSubject(variant).info.requests
    )
    ours = np.concatenate([images[0], frames])[:, :4]  # the reference embeds the image first
    return [("first features", ours, raw["cls_head4"], 10 * float(tolerance["i2v_subject"]))]


def _dimension(variant: str) -> GoldenDimension:
    return GoldenDimension(
        metric=partial(I2vSubject, variant),
        states={"dino_vitb16": dino_state},
        extractors=partial(_extractors, variant),
        raw=partial(_raw, variant),
    )


DIMENSION = _dimension("tv017")
LEGACY = _dimension("legacy")
