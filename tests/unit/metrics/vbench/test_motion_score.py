"""The motion score of whole clips: which frames, resized how, against which texts, and what becomes of the cosines."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage
from tiny_actionclip import tiny_actionclip

from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.reference_sampling import clip_24_of_144
from anisora.harness.stages.score import score_one
from anisora.harness.types import FrameArray, Frames, Generation, Sample, Score
from anisora.metrics.extractors.actionclip import RECIPE, TEXTS, Actionclip, frames_seen
from anisora.metrics.networks.actionclip import ActionClip
from anisora.metrics.vbench.motion_score import MotionScore, first_text_probability

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture(scope="module")
def network() -> ActionClip:
    return tiny_actionclip()


@pytest.fixture
def store(network: ActionClip) -> Iterator[FeatureStore]:
    with FeatureStore(
        pool=DecoderPool(),
        requests=MotionScore.info.requests,
        extractors={"actionclip": Actionclip(network=network)},
    ) as opened:
        yield opened


def noise(count: int, *, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (count, 20, 36, 3), dtype=np.uint8)


def scored(frames: Frames, store: FeatureStore) -> Score:
    clip = FrameArray(frames=frames, fps=16.0)
    return score_one(MotionScore(), Generation(sample=Sample(id="a"), clip=clip, model="m"), store)


def by_hand(frames: Frames, network: ActionClip, indices: list[int]) -> float:
    """The reference's steps in their order: squash by Pillow, /255, normalise, features, softmax of 100 cosines."""
    pictures = [
        PillowImage.fromarray(frames[index]).resize((32, 32), PillowImage.Resampling.BICUBIC) for index in indices
    ]
    values = (np.stack([np.asarray(picture) for picture in pictures]) / 255.0 - MEAN) / STD
    pixels = torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2)
    tokens = open_clip.get_tokenizer("ViT-B-16-quickgelu")(list(TEXTS))
    clip, texts = network.encode_clips(pixels[None]).double(), network.encode_tokens(tokens).double()
    cosine = (clip / clip.norm(dim=-1, keepdim=True)) @ (texts / texts.norm(dim=-1, keepdim=True)).T
    return float((100 * cosine).softmax(dim=-1)[0, 0])


@pytest.mark.parametrize(
    ("total", "indices"),
    [
        (2, [0, 0, 0, 0, 0, 0, 0, 1]),
        (5, [0, 0, 1, 1, 2, 2, 3, 4]),
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (24, [0, 3, 6, 9, 13, 16, 19, 23]),
        (49, [0, 6, 12, 18, 26, 32, 38, 46]),
        (144, [0, 18, 36, 54, 78, 96, 114, 138]),
        (400, [0, 18, 36, 54, 78, 96, 114, 138]),
    ],
)
def test_eight_of_twenty_four_of_the_first_144_frames_are_seen(total, indices) -> None:
    assert frames_seen(total) == indices
    shared = clip_24_of_144(total)
    assert [shared[place] for place in frames_seen(len(shared))] == indices, "a clip cut to its 24 gives others"


@pytest.mark.parametrize(("total", "indices"), [(5, [0, 0, 1, 1, 2, 2, 3, 4]), (49, [0, 6, 12, 18, 26, 32, 38, 46])])
def test_the_score_is_that_of_the_steps_done_by_hand(total, indices, network, store) -> None:
    frames = noise(total)
    expected = by_hand(frames, network, indices)
    found = scored(frames, store)
    assert found.value == pytest.approx(expected, abs=2e-5)
    assert 0.01 < expected < 0.99, "saturated: nothing would be noticed"
    assert len(found.parts["cosine"]) == 2
    assert abs(by_hand(frames[..., ::-1], network, indices) - expected) > 1e-3, "BGR would not be noticed"
    assert abs(by_hand(frames, network, [max(0, i - 1) for i in indices]) - expected) > 1e-3, "nor a frame too early"
    middle = frames[:, :, 8:28]  # the crop that ActionCLIP itself makes
    assert abs(by_hand(middle, network, indices) - expected) > 1e-3


def test_frames_that_are_not_seen_do_not_matter_and_those_that_are_do(store) -> None:
    frames = noise(160)
    value = scored(frames, store).value
    assert value is not None
    unseen = frames.copy()
    unseen[[index for index in range(160) if index not in frames_seen(160)]] = 0
    assert scored(unseen, store).value == value
    seen = frames.copy()
    seen[138] = 0
    assert scored(seen, store).value != value


def test_a_single_frame_is_left_unscored(store) -> None:
    found = scored(noise(1), store)
    assert found.value is None
    assert "1 of the 2 frames" in found.note


def test_texts_are_encoded_once(network) -> None:
    assert network.encode_texts(TEXTS) is network.encode_texts(TEXTS)
    assert network.encode_texts(TEXTS[:1]).shape == (1, 16)


def test_the_recipe_is_named_in_the_cache_key() -> None:
    assert Actionclip.info.preprocess == "linspace8-of-24-of-144-pillow-exact224-bicubic-norm0.481"
    assert replace(RECIPE, side=32).size(20, 36) == (32, 32)


def test_the_probability_is_a_softmax_of_a_hundred_cosines_that_does_not_overflow() -> None:
    assert first_text_probability(np.array([0.3, 0.3])) == 0.5
    assert first_text_probability(np.array([0.32, 0.30])) == pytest.approx(1 / (1 + np.exp(-2)))
    np.testing.assert_allclose(first_text_probability(np.array([[1.0, -1.0], [-1.0, 1.0]])), [1.0, 0.0], atol=1e-80)
