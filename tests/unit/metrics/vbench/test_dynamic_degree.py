"""dynamic_degree from pixels to score, by RAFT of full size with seeded weights and few updates."""

import numpy as np
import pytest
from trial_metrics import make_sample

from anisora.harness.errors import MetricError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.stages.score import score_one
from anisora.harness.types import FrameArray, Generation, Score
from anisora.metrics.extractors.raft_things import RaftThings
from anisora.metrics.golden.dynamic_degree import raft_state
from anisora.metrics.networks.raft import Raft
from anisora.metrics.vbench.dynamic_degree import DynamicDegree

pytest.importorskip("torch")
pytest.importorskip("torchvision")

REQUEST = DynamicDegree.info.requests[0]


@pytest.fixture
def network() -> Raft:
    return Raft(raft_state(0), updates=1)


def clip(count: int, fps: float, height: int = 128, width: int = 128) -> Generation:
    frames = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return Generation(sample=make_sample(), clip=FrameArray(frames=frames, fps=fps), model="m")


def store_with(network: Raft) -> FeatureStore:
    extractors = {REQUEST.extractor: RaftThings(network=network)}
    return FeatureStore(pool=DecoderPool(), requests=DynamicDegree.info.requests, extractors=extractors)


def score_of(item: Generation, network: Raft) -> Score:
    with store_with(network) as store:
        return score_one(DynamicDegree(), item, store)


def test_the_pairs_are_those_of_every_kth_frame_at_the_clips_own_rate(network: Raft) -> None:
    fast = clip(8, fps=28.0)  # 28 / 8 = 3.5: every fourth frame, not every third
    assert isinstance(fast.clip, FrameArray)
    slow = Generation(sample=fast.sample, clip=FrameArray(frames=fast.clip.frames[::4], fps=7.0), model="m")
    with store_with(network) as store:
        found = [store.get(item, REQUEST.extractor, REQUEST.sampling)["largest_motion"] for item in (fast, slow)]
    assert found[0].tolist() == found[1].tolist()
    assert found[0].shape == (1,)


def test_a_clip_is_scored_from_its_pixels_and_each_sampled_frame_encoded_once(network: Raft) -> None:
    score = score_of(clip(9, fps=24.0), network)  # frames 0, 3 and 6
    assert network.encoded == 3
    assert len(score.parts["pairs"]) == 2
    assert score.value == float(max(score.parts["pairs"]) > 6 * 128 / 256)


@pytest.mark.parametrize(("count", "sampled"), [(4, 2), (3, 1)])
def test_a_clip_of_too_few_sampled_frames_is_unscored_although_it_is_long_enough(
    network: Raft, count: int, sampled: int
) -> None:
    score = score_of(clip(count, fps=24.0), network)
    assert score.value is None
    assert f"{sampled} frames are sampled at about 8 a second; at least 3 needed" in score.note


@pytest.mark.parametrize(("height", "width"), [(120, 128), (128, 120), (48, 128)])
def test_frames_for_which_raft_has_no_number_are_unscored_and_never_still(
    network: Raft, height: int, width: int
) -> None:
    item = clip(3, fps=8.0, height=height, width=width)
    score = score_of(item, network)
    assert score.value is None
    assert f"frames are {width}x{height}; RAFT needs sides of 121 pixels or more" in score.note
    with store_with(network) as store, pytest.raises(MetricError, match=f"{width}x{height}; RAFT needs"):
        store.get(item, REQUEST.extractor, REQUEST.sampling)


@pytest.mark.parametrize("volume_bytes", [256 << 20, 0])
def test_the_smallest_frames_have_a_number_with_and_without_a_volume(volume_bytes: int) -> None:
    network = Raft(raft_state(0), updates=1, volume_bytes=volume_bytes)
    score = score_of(clip(3, fps=8.0, height=121, width=121), network)
    assert score.value in (0.0, 1.0)
    assert np.isfinite(score.parts["pairs"]).all()
