"""RAFT's motion of VBench's own code: of one pair quickly, of one clip without a volume, and with known mistakes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shared_data import REPOSITORY

from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.sampling import sample_indices
from anisora.harness.protocols import Batch
from anisora.harness.types import Frames, StreamInfo
from anisora.harness.weights import Tensors
from anisora.harness.windows import FrameFeed
from anisora.metrics.extractors.raft_things import RaftThings
from anisora.metrics.golden.dimension import compare_dimension
from anisora.metrics.golden.dynamic_degree import DIMENSION, raft_state
from anisora.metrics.networks.raft import Raft
from anisora.metrics.vbench.dynamic_degree import DynamicDegree

pytest.importorskip("torch")
pytest.importorskip("torchvision")

pytestmark = pytest.mark.parity

CASE = REPOSITORY / "tests" / "data" / "vbench"
CASE_JSON = json.loads((CASE / "case.json").read_text(encoding="utf-8"))
EXPECTED = json.loads((CASE / "expected.json").read_text(encoding="utf-8"))["dims"]["dynamic_degree"]
TOLERANCE = float(CASE_JSON["tolerance"]["dynamic_degree_radii"])
(BLINK,) = (video for video in EXPECTED["videos"] if video["name"].startswith("a blinking"))
"""The smaller clip; its sides are no multiples of 8."""
FIRST_RADIUS = float(BLINK["raw"]["max_rad"][0])


@pytest.fixture(scope="module")
def frames() -> Frames:
    """All frames of the clip."""
    clip = clip_at(CASE / "clips" / "video" / BLINK["name"], None)
    with DecoderPool() as pool, FrameFeed(pool, clip, lambda _: None, None) as feed:
        return np.concatenate([piece.copy() for _, piece in feed])


@pytest.fixture(scope="module")
def state() -> Tensors:
    return raft_state(0)


def radius(pair: Frames, state: Tensors, *, updates: int = 20) -> float:
    stream = StreamInfo(fps=24.0, num_frames=2, height=0, width=0, codec="x", pixel_format="y")
    batch = Batch(frames=pair[None], indices=np.zeros((1, 2), np.int64), stream=stream)
    extractor = RaftThings(network=Raft(state, updates=updates))
    return float(extractor.extract(batch)["largest_motion"][0])


def test_the_motion_of_the_first_pair_is_that_of_vbench(frames: Frames, state: Tensors) -> None:
    sampling = DynamicDegree.info.requests[0].sampling
    sampled = sample_indices(sampling, num_frames=len(frames), fps=24.0)
    assert len(sampled) == BLINK["raw"]["params"][0]["n_frames"]
    assert radius(frames[sampled[:2]], state) == pytest.approx(FIRST_RADIUS, abs=TOLERANCE)


def by_the_other_norms(state: Tensors) -> Tensors:
    """Let the second name of the downsampling norms win."""
    return {
        key: state[key.replace(".downsample.1.", ".norm3.")] if key.startswith("cnet.") else tensor
        for key, tensor in state.items()
    }


def padded_at_the_end(pair: Frames) -> Frames:
    rows, columns = -pair.shape[1] % 8, -pair.shape[2] % 8
    return np.pad(pair, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")


def padded_with_black(pair: Frames) -> Frames:
    rows, columns = (-pair.shape[1] % 8) // 2, (-pair.shape[2] % 8) // 2
    return np.pad(pair, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


MISTAKES: Mapping[str, Callable[[Frames, Tensors], float]] = {
    "one update less": lambda frames, state: radius(frames[[0, 3]], state, updates=19),
    "norm3 in place of downsample": lambda frames, state: radius(frames[[0, 3]], by_the_other_norms(state)),
    "padding at the right and the bottom": lambda frames, state: radius(padded_at_the_end(frames[[0, 3]]), state),
    "padding with black": lambda frames, state: radius(padded_with_black(frames[[0, 3]]), state),
    "channels in OpenCV's order": lambda frames, state: radius(frames[[0, 3], :, :, ::-1], state),
    "from the second frame to the first": lambda frames, state: radius(frames[[3, 0]], state),
    "every second frame": lambda frames, state: radius(frames[[0, 2]], state),
    "one frame late": lambda frames, state: radius(frames[[1, 4]], state),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_known_mistake_is_far_outside_the_tolerance(mistake: str, frames: Frames, state: Tensors) -> None:
    assert abs(MISTAKES[mistake](frames, state) - FIRST_RADIUS) > 3 * TOLERANCE


@pytest.mark.slow
def test_without_a_volume_the_clip_has_vbenchs_numbers_too(tmp_path: Path) -> None:
    for name in ("clips", "weights.json"):
        (tmp_path / name).symlink_to(CASE / name)
    one_clip = {"aggregate": float(BLINK["score"]), "videos": [BLINK]}
    (tmp_path / "expected.json").write_text(json.dumps({"dims": {"dynamic_degree": one_clip}}), encoding="utf-8")
    without_volume = replace(
        DIMENSION,
        extractors=lambda states: {"raft_things": RaftThings(network=Raft(states["raft_things"], volume_bytes=0))},
    )
    comparisons = compare_dimension(tmp_path, CASE_JSON, "dynamic_degree", without_volume)
    assert [str(comparison) for comparison in comparisons if not comparison.passed] == []
    assert any("motion" in comparison.name for comparison in comparisons)
