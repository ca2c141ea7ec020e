"""Golden dynamic_degree: threshold, count, the motion of each pair, whether the clip moves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anisora.harness.protocols import FeatureExtractor, FeatureReader
from anisora.harness.types import Generation, Score
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.raft_things import RaftThings
from anisora.metrics.golden.dimension import GoldenDimension, Raw, States, seeded_state
from anisora.metrics.networks.raft import Raft, published_shapes
from anisora.metrics.vbench.dynamic_degree import DynamicDegree, motion_threshold, pairs_needed

__all__ = ["DIMENSION", "raft_state"]

_HEAD = "update_block.flow_head.conv2.weight"


def raft_state(seed: int) -> Tensors:
    """Return RAFT's seeded state, with a small last layer, so that flows lie near the thresholds."""
    drawn = {_HEAD: lambda normal: normal * np.float32(0.02 / np.sqrt(2304))}
    return seeded_state(published_shapes(), "raft_things", seed, drawn=drawn, integers=("num_batches_tracked",))


def _extractors(states: States) -> Mapping[str, FeatureExtractor]:
    return {"raft_things": RaftThings(network=Raft(states["raft_things"]))}


def _raw(
    item: Generation, score: Score, features: FeatureReader, raw: Mapping[str, Any], tolerance: Mapping[str, Any]
) -> Sequence[Raw]:
    stream, theirs = features.stream(item), raw["params"][0]
    motion = score.parts["pairs"]
    return [
        ("sampled frames", len(motion) + 1, theirs["n_frames"], None),
        ("pairs needed", pairs_needed(len(motion) + 1), theirs["count_num"], None),
        ("threshold", motion_threshold(stream.height, stream.width), theirs["thres"], 1e-9),
        ("motion", motion, raw["max_rad"], float(tolerance["dynamic_degree_radii"])),
    ]


DIMENSION = GoldenDimension(metric=DynamicDegree, states={"raft_things": raft_state}, extractors=_extractors, raw=_raw)
