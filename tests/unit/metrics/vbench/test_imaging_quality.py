"""imaging_quality: VBench's rule for the size of frames, and what becomes of the scores of frames."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from anisora.harness.errors import ConfigError, MetricError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch
from anisora.harness.stages.score import score_one
from anisora.harness.types import FrameArray, Frames, Generation, Sample, StreamInfo
from anisora.metrics.extractors.musiq_spaq import MODES, MusiqSpaq, resized, resized_size
from anisora.metrics.golden.imaging_quality import musiq_state
from anisora.metrics.networks.musiq import Musiq
from anisora.metrics.vbench.imaging_quality import ImagingQuality

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def network() -> Musiq:
    return Musiq(musiq_state(0, layers=1), layers=1)


def _frames(count: int, height: int, width: int) -> Frames:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("mode", "size", "smaller"),
    [
        ("longer", (1080, 2002), (276, 512)),
        ("longer", (480, 720), (341, 512)),
        ("longer", (720, 1280), (288, 512)),
        ("longer", (1280, 720), (512, 288)),
        ("longer", (512, 300), (512, 300)),
        ("longer", (561, 300), (511, 273)),  # 512 / 561 * 561 is just below 512 in float64
        ("shorter", (480, 720), (480, 720)),
        ("shorter", (720, 1280), (512, 910)),
        ("shorter_centercrop", (720, 1280), (512, 910)),
        ("shorter_centercrop", (561, 700), (511, 638)),
        ("none", (720, 1280), (720, 1280)),
    ],
)
def test_resized_size_is_that_of_vbench(mode: str, size: tuple[int, int], smaller: tuple[int, int]) -> None:
    assert resized_size(mode, *size) == smaller


@pytest.mark.slow
@pytest.mark.parametrize("size", [(600, 900), (561, 700), (300, 520), (64, 48)])
@pytest.mark.parametrize("mode", MODES)
def test_resized_equals_torchvision(mode: str, size: tuple[int, int]) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    frames = _frames(1, *size)
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    smaller = resized_size(mode, *size)
    if smaller != size:
        pixels = transforms.Resize(smaller, antialias=False)(pixels)
        pixels = transforms.CenterCrop(512)(pixels) if mode == "shorter_centercrop" else pixels
    found = resized(mode, frames)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, pixels / 255.0, rtol=0, atol=1e-6)
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


@pytest.mark.parametrize(("mode", "size"), [("longer", (300, 700)), ("shorter", (600, 520)), ("none", (30, 600))])
def test_resize_is_bilinear_between_the_four_nearest_pixels(mode: str, size: tuple[int, int]) -> None:
    frames = _frames(1, *size)
    height, width = resized_size(mode, *size)
    expected = cv2.resize(frames[0].astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) / 255
    np.testing.assert_allclose(resized(mode, frames)[0].permute(1, 2, 0), expected, rtol=0, atol=1e-4)


def test_crop_is_the_middle_and_a_missing_line_is_black() -> None:
    frames = _frames(1, 561, 700)
    whole, middle = resized("shorter", frames), resized("shorter_centercrop", frames)
    assert whole.shape[2:] == (511, 638)
    assert middle.shape[2:] == (512, 512)
    assert torch.equal(middle[:, :, :511], whole[:, :, :, 63:575])
    assert not middle[:, :, 511].any()
    assert torch.equal(resized("shorter_centercrop", frames[:, :512]), resized("none", frames[:, :512]))


def test_an_antialiased_resize_would_be_seen() -> None:
    frames = _frames(1, 300, 600)
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    smooth = torch.nn.functional.interpolate(pixels, size=(256, 512), mode="bilinear", antialias=True) / 255
    assert float((smooth - resized("longer", frames)).abs().mean()) > 1e-3


def test_modes_have_names_of_their_own() -> None:
    metric = ImagingQuality("shorter_centercrop")
    assert ImagingQuality().info.name == ImagingQuality("longer").info.name == "imaging_quality"
    assert ImagingQuality().info.requests[0].extractor == "musiq_spaq"
    assert metric.info.name == "imaging_quality:mode=shorter_centercrop"
    assert metric.info.requests[0].extractor == "musiq_spaq:mode=shorter_centercrop"
    assert len({MusiqSpaq(mode).info.preprocess for mode in MODES}) == len(MODES)


@pytest.mark.parametrize("maker", [ImagingQuality, MusiqSpaq])
def test_an_unknown_mode_is_refused(maker: type) -> None:
    with pytest.raises(ConfigError, match=r"`mode` got 'None'; expected one of longer, shorter"):
        maker("None")


@pytest.fixture(scope="module")
def store(network: Musiq) -> Iterator[FeatureStore]:
    metric = ImagingQuality()
    with FeatureStore(
        pool=DecoderPool(), requests=metric.info.requests, extractors={"musiq_spaq": MusiqSpaq(network=network)}
    ) as opened:
        yield opened


def test_value_is_the_mean_over_all_frames_by_100(store: FeatureStore, network: Musiq) -> None:
    frames = _frames(5, 24, 40)  # one more than a batch
    frames[2:] //= 3
    item = Generation(sample=Sample(id="noise"), clip=FrameArray(frames=frames, fps=8.0), model="memory")
    found = score_one(ImagingQuality(), item, store)
    alone = [float(network(torch.from_numpy(frame).permute(2, 0, 1)[None] / 255.0)[0]) for frame in frames]
    assert found.value is not None
    np.testing.assert_allclose(found.parts["frames"], np.array(alone) / 100, rtol=0, atol=1e-6)
    assert found.value == pytest.approx(np.mean(found.parts["frames"]), abs=1e-12)
    assert found.weight == 1.0  # the aggregate is the mean over clips, however long
    assert np.ptp(found.parts["frames"]) > 1e-3


def test_scores_are_float64_one_per_frame(network: Musiq) -> None:
    scores = MusiqSpaq("none", network=network).extract(_batch(_frames(2, 20, 30)))["score"]
    assert scores.shape == (2,)
    assert scores.dtype == np.float64


def test_frames_too_thin_for_the_network_are_refused(network: Musiq) -> None:
    with pytest.raises(MetricError, match=r"frames of 900x2, in mode 'none' 900x2; expected no side above 447 times"):
        MusiqSpaq("none", network=network).extract(_batch(_frames(1, 2, 900)))
    with pytest.raises(MetricError, match="in mode 'longer' 512x0"):
        resized("longer", _frames(1, 1, 900))
    assert resized("none", _frames(1, 2, 894)).shape == (1, 3, 2, 894)


def _batch(frames: Frames) -> Batch:
    count, height, width, _ = frames.shape
    stream = StreamInfo(fps=8.0, num_frames=count, height=height, width=width, codec="memory", pixel_format="rgb24")
    return Batch(frames=frames[:, None], indices=np.arange(count)[:, None], stream=stream)
