"""motion_smoothness from frames to score: which frames are drawn, and which clips are left unscored."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.stages.score import score_one
from anisora.harness.types import FrameArray, Frames, Generation, Sample, Score
from anisora.metrics.extractors.amt_s import AmtS as Extractor
from anisora.metrics.golden.motion_smoothness import amt_state
from anisora.metrics.vbench.motion_smoothness import MotionSmoothness

torch = pytest.importorskip("torch")

from anisora.metrics.networks.amt import AmtS  # noqa: E402 - imports torch


@pytest.fixture(scope="module")
def network() -> AmtS:
    return AmtS(amt_state(0))


@pytest.fixture
def store(network: AmtS) -> Iterator[FeatureStore]:
    with FeatureStore(
        pool=DecoderPool(),
        requests=MotionSmoothness().info.requests,
        extractors={"amt_s": Extractor(network=network)},
    ) as opened:
        yield opened


def clip_of(length: int, height: int = 128, width: int = 128) -> Frames:
    return np.random.default_rng(0).integers(0, 256, (length, height, width, 3), dtype=np.uint8)


def scored(store: FeatureStore, frames: Frames) -> Score:
    item = Generation(sample=Sample(id="noise"), clip=FrameArray(frames=frames, fps=8.0), model="memory")
    return score_one(MotionSmoothness(), item, store)


def drawn(network: AmtS, before: Frames, after: Frames) -> NDArray[np.float64]:
    pixels = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in (before, after)]
    levels: NDArray[np.float64] = np.floor((network(*pixels) * 255).numpy().transpose(1, 2, 0)).astype(np.float64)
    return levels


def test_every_second_frame_is_drawn_from_its_neighbours_and_the_last_of_an_even_number_is_not_used(
    store: FeatureStore, network: AmtS
) -> None:
    frames = clip_of(6)
    errors = [np.abs(drawn(network, frames[at], frames[at + 2]) - frames[at + 1]).mean() for at in (0, 2)]
    score = scored(store, frames)
    assert score.parts["frames"] == pytest.approx([1 - error / 255 for error in errors], abs=1e-9)
    assert score.value == pytest.approx(1 - np.mean(errors) / 255, abs=1e-9)
    assert score.value == scored(store, frames[:5]).value
    assert score.value != scored(store, frames[1:]).value


def test_clips_of_two_frames_are_unscored_with_the_reason(store: FeatureStore) -> None:
    score = scored(store, clip_of(2))
    assert score.value is None
    assert "has 2 of the 3 frames that motion_smoothness needs" in score.note


def test_clips_below_the_smallest_side_are_unscored_without_a_pass_of_the_network(store: FeatureStore) -> None:
    score = scored(store, clip_of(3, height=112))
    assert score.value is None
    assert "frames are 128x112; AMT needs sides of 128 pixels" in score.note
    assert store.counters.forwards.get("amt_s", 0) == 0


def test_the_licence_is_that_of_the_weights() -> None:
    info = MotionSmoothness().info
    assert (info.licence, info.commercial_use) == ("CC-BY-NC-4.0", False)
