"""overall_consistency: the eight frames, their rounded pixels, the prompt, and the cosine; towers of tiny size."""

import numpy as np
import pytest

from anisora.harness.errors import MetricError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch
from anisora.harness.stages.score import score_one
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD
from anisora.harness.types import FrameArray, Frames, Generation, Sample, Score, StreamInfo
from anisora.metrics.extractors.viclip import RECIPE, Viclip, padded
from anisora.metrics.golden.overall_consistency import viclip_state
from anisora.metrics.networks.viclip import Architecture, ViClip
from anisora.metrics.vbench.overall_consistency import OverallConsistency, alignment

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")

TINY = Architecture(width=4, layers=1, heads=1, text_width=4, text_layers=1, text_heads=1, dimensions=6)
MIDDLE_OF_49 = [2, 8, 14, 20, 26, 32, 38, 45]


@pytest.fixture(scope="module")
def network() -> ViClip:
    return ViClip(viclip_state(0, TINY), architecture=TINY)


def _frames(count: int, height: int = 30, width: int = 44) -> Frames:
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


def _batch(frames: Frames, prompt: str | None = "a girl walks") -> Batch:
    stream = StreamInfo(fps=24.0, num_frames=len(frames), height=30, width=44, codec="memory", pixel_format="rgb24")
    return Batch(frames=frames[None], indices=np.arange(len(frames))[None], stream=stream, prompt=prompt)


def _score(frames: Frames, prompt: str | None, network: ViClip) -> Score:
    item = Generation(sample=Sample(id="drawn", prompt=prompt), clip=FrameArray(frames=frames, fps=24.0), model="test")
    with FeatureStore(
        pool=DecoderPool(), requests=OverallConsistency.info.requests, extractors={"viclip": Viclip(network=network)}
    ) as store:
        return score_one(OverallConsistency(), item, store)


def _expected(frames: Frames, chosen: list[int], prompt: str, network: ViClip) -> float:
    video, text = network(RECIPE(frames[chosen])[None])[0].double(), network.encode_text(prompt)[0].double()
    return float(video @ text / (video.norm() * text.norm()))


def test_the_middle_frames_of_eight_parts_are_compared_with_the_prompt(network: ViClip) -> None:
    frames = _frames(49)
    found = _score(frames, "a girl walks", network)
    assert found.value == pytest.approx(_expected(frames, MIDDLE_OF_49, "a girl walks", network), abs=1e-6)
    for wrong in ([*range(8)], [*MIDDLE_OF_49[:-1], 44], np.rint(np.linspace(0, 48, 8)).astype(int).tolist()):
        assert abs(found.value - _expected(frames, wrong, "a girl walks", network)) > 1e-5
    assert abs(found.value - _score(frames, "a boy sleeps", network).value) > 1e-3


@pytest.mark.parametrize(("count", "chosen"), [(1, [0] * 8), (5, [0, 1, 2, 3, 4, 4, 4, 4]), (8, [*range(8)])])
def test_a_short_clip_repeats_its_last_frame(count: int, chosen: list[int], network: ViClip) -> None:
    frames = _frames(count)
    found = _score(frames, "a girl walks", network)
    assert found.value == pytest.approx(_expected(frames, chosen, "a girl walks", network), abs=1e-6)


def test_padding_repeats_the_last_frame_only() -> None:
    frames = _frames(3, 2, 2)
    assert [int(frame[0, 0, 0]) for frame in padded(frames, 5)] == [int(frames[i, 0, 0, 0]) for i in (0, 1, 2, 2, 2)]
    np.testing.assert_array_equal(np.stack(padded(frames, 3)), frames)


@pytest.mark.parametrize("size", [(480, 720), (300, 200), (224, 224), (90, 160)])
def test_pixels_are_those_of_torchvision_on_whole_levels(size: tuple[int, int]) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    frames = _frames(1, *size)
    resize = transforms.Resize(224, interpolation=transforms.InterpolationMode.BICUBIC, antialias=False)
    levels = transforms.CenterCrop(224)(resize(torch.from_numpy(frames).permute(0, 3, 1, 2)))
    assert levels.dtype == torch.uint8
    expected = transforms.Normalize(CLIP_MEAN, CLIP_STD)(levels.float().div(255.0))
    torch.testing.assert_close(RECIPE(frames), expected, rtol=0, atol=1e-6)


def test_features_are_one_row_for_the_clip_and_not_normalised(network: ViClip) -> None:
    found = Viclip(network=network).extract(_batch(_frames(8)))
    assert {name: (array.shape, array.dtype) for name, array in found.items()} == {
        "video": ((1, 6), np.float32),
        "text": ((1, 6), np.float32),
    }
    assert all(abs(np.linalg.norm(array) - 1) > 1e-2 for array in found.values())


def test_no_prompt_and_too_many_frames_are_refused(network: ViClip) -> None:
    extractor = Viclip(network=network)
    with pytest.raises(MetricError, match="no prompt; give the item one"):
        extractor.extract(_batch(_frames(8), prompt=None))
    with pytest.raises(MetricError, match="got 9 frames; expected at most 8"):
        extractor.extract(_batch(_frames(9)))


@pytest.mark.parametrize(("prompt", "word"), [(None, "prompt"), ("", "empty"), (" \n", "empty")])
def test_without_a_prompt_a_clip_is_unscored(prompt: str | None, word: str, network: ViClip) -> None:
    found = _score(_frames(2), prompt, network)
    assert found.value is None
    assert word in found.note


def test_alignment_is_the_cosine_of_the_angle_and_keeps_its_sign() -> None:
    first = np.array([3.0, 4.0], np.float32)
    assert alignment(first, np.array([6.0, 8.0])) == pytest.approx(1.0, abs=1e-15)
    assert alignment(first, np.array([-4.0, 3.0])) == 0.0
    assert alignment(first, np.array([-3.0, -4.0])) == pytest.approx(-1.0, abs=1e-15)
    assert alignment(first, np.array([1.0, 0.0])) == pytest.approx(0.6)
    assert alignment(first, np.zeros(2)) == 0.0


def test_alignment_never_leaves_its_range() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 768)).astype(np.float32)
    assert all(-1 <= alignment(vector, sign * vector * 3) <= 1 for vector in vectors for sign in (1, -1))
