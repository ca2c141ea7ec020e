"""Golden motion_smoothness: the error of each frame that was drawn, the clip's score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anisora.harness.networks import shapes_of
from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.amt_s import AmtS as Extractor
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.vbench.motion_smoothness import MotionSmoothness

__all__ = ["DIMENSION", "amt_state"]


def amt_state(seed: int) -> Tensors:
    """Return AMT-S's seeded state: one-dimensional weights are the slopes of PReLU."""
    from anisora.metrics.networks.amt import AmtS

    return seeded_state(shapes_of(AmtS.empty()), "amt_s", seed, one_dimensional=(0.25, 0.05))


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    from anisora.metrics.networks.amt import AmtS

    return {"amt_s": Extractor(network=AmtS(states["amt_s"]))}


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    ours = 255 * (1 - np.asarray(score.parts["frames"]))
    return [("errors of frames", ours, raw["diff"], 255 * float(tolerance["motion_smoothness"]))]


DIMENSION = GoldenDimension(metric=MotionSmoothness, states={"amt_s": amt_state}, extractors=_extractors, raw=_raw)
