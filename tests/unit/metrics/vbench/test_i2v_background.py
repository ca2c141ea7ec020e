"""i2v_background from pixels to score, by a DreamSim of tiny size."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from anisora.harness.errors import ConfigError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch
from anisora.harness.registry import registry
from anisora.harness.stages.score import score_one
from anisora.harness.types import Condition, FrameArray, Frames, Generation, Image, Sample, Score, StreamInfo
from anisora.metrics.extractors.dreamsim_ensemble import DreamsimEnsemble, squashed_recipe
from anisora.metrics.extractors.dreamsim_ensemble_images import DreamsimEnsembleImages
from anisora.metrics.golden.i2v_background import TAGS, dreamsim_state
from anisora.metrics.networks.dreamsim import Architecture, DreamSim
from anisora.metrics.vbench.i2v_background import I2vBackground
from anisora.metrics.vbench.image_similarity import image_similarity_score

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

TINY = Architecture(width=24, layers=1, heads=2, projected=10, rank=3)


@pytest.fixture(scope="module")
def network() -> DreamSim:
    return DreamSim({part: dreamsim_state(part, 0, TINY) for part in TAGS}, architecture=TINY)


def drawn(count: int, height: int = 40, width: int = 64, seed: int = 3) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


def stream(count: int) -> StreamInfo:
    return StreamInfo(fps=24.0, num_frames=count, height=40, width=64, codec="memory", pixel_format="rgb24")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "first.png", tmp_path / "last.png"]
    for seed, path in enumerate(paths):
        Picture.fromarray(drawn(1, 300, 200, seed)[0]).save(path)
    return paths


def item_of(frames: Frames, *images: tuple[float, Path]) -> Generation:
    keyframes = tuple((position, Image(path=path, digest=path.stem)) for position, path in images)
    sample = Sample(id="drawn", condition=Condition(keyframes=keyframes))
    return Generation(sample=sample, clip=FrameArray(frames=frames, fps=24.0), model="test")


@contextmanager
def store_of(metric: I2vBackground, network: DreamSim, resize: str = "tv017") -> Iterator[FeatureStore]:
    frames, images = metric.info.requests
    extractors: dict[str, Any] = {
        frames.extractor: DreamsimEnsemble(resize, network=network),
        images.extractor: DreamsimEnsembleImages(network=network),
    }
    with DecoderPool() as pool, FeatureStore(pool=pool, requests=metric.info.requests, extractors=extractors) as store:
        yield store


def score(item: Generation, network: DreamSim, resize: str = "tv017") -> Score:
    metric = I2vBackground(resize)
    with store_of(metric, network, resize) as store:
        return score_one(metric, item, store)


def expected(frames: Frames, image: Path, network: DreamSim, resize: str = "tv017") -> float:
    recipe = squashed_recipe(resize)
    picture = np.asarray(Picture.open(image))
    value, *_ = image_similarity_score(network(recipe.picture(picture)).numpy()[0], network(recipe(frames)).numpy())
    return value


def test_all_frames_are_compared_with_the_image_of_the_beginning(network: DreamSim, pictures: list[Path]) -> None:
    frames = drawn(6)
    found = score(item_of(frames, (1.0, pictures[1]), (0.0, pictures[0])), network)
    assert found.value == pytest.approx(expected(frames, pictures[0], network), abs=1e-6)
    assert abs(found.value - expected(frames, pictures[1], network)) > 1e-5
    assert abs(found.value - expected(frames[:5], pictures[0], network)) > 1e-5
    assert (len(found.parts["to_image"]), len(found.parts["to_before"])) == (6, 5)
    assert found.value == pytest.approx(
        0.4 * max(found.parts["to_image"])
        + 0.3 * np.mean(found.parts["to_before"])
        + 0.3 * min(found.parts["to_before"])
    )


def test_without_antialiasing_it_is_another_metric_with_its_own_name(network: DreamSim, pictures: list[Path]) -> None:
    frames = drawn(3, 500, 400)
    item = item_of(frames, (0.0, pictures[0]))
    legacy = I2vBackground("legacy")
    assert legacy.info.name == "i2v_background:resize=legacy"
    assert [request.extractor for request in legacy.info.requests] == [
        "dreamsim_ensemble:resize=legacy",
        "dreamsim_ensemble_images",
    ]
    found = score(item, network, "legacy")
    assert found.value == pytest.approx(expected(frames, pictures[0], network, "legacy"), abs=1e-6)
    assert abs(found.value - score(item, network).value) > 1e-4
    with pytest.raises(ConfigError, match="`resize` got 'bicubic'; expected one of tv017, legacy"):
        I2vBackground("bicubic")
    with pytest.raises(ConfigError, match="`resize` got 'none'"):
        DreamsimEnsemble("none")


def test_no_image_at_the_beginning_and_a_single_frame_are_unscored(network: DreamSim, pictures: list[Path]) -> None:
    late = score(item_of(drawn(3), (0.5, pictures[0]), (1.0, pictures[1])), network)
    assert late.value is None
    assert late.note == "no image is at position 0; the images are at [0.5, 1.0]"
    single = score(item_of(drawn(1), (0.0, pictures[0])), network)
    assert single.value is None
    assert "2" in single.note
    assert score(item_of(drawn(3)), network).value is None


@pytest.mark.parametrize("resize", ["tv017", "legacy"])
def test_frames_are_squashed_as_torchvision_does_and_not_clamped(resize: str) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    frames = drawn(2, 300, 500)
    resized = transforms.Resize(
        (224, 224), interpolation=transforms.InterpolationMode.BICUBIC, antialias=resize == "tv017"
    )(torch.from_numpy(frames).permute(0, 3, 1, 2).float())
    found = squashed_recipe(resize)(frames)
    torch.testing.assert_close(found, resized / 255, rtol=0, atol=1e-6)
    assert found.shape == (2, 3, 224, 224)
    if resize == "legacy":
        assert found.min() < 0 < 1 < found.max()


def test_the_image_is_resized_by_pillow_to_whole_levels(network: DreamSim) -> None:
    image = drawn(1, 300, 200, 7)[0]
    resized = np.asarray(Picture.fromarray(image).resize((224, 224), Picture.Resampling.BICUBIC))
    pixels = torch.from_numpy(resized.copy()).permute(2, 0, 1)[None].float() / 255
    batch = Batch(
        frames=drawn(2)[None, :1], indices=np.zeros((1, 1), np.int64), stream=stream(2), images=((0.0, image),)
    )
    found = DreamsimEnsembleImages(network=network).extract(batch)["embedding"]
    assert (found.shape, found.dtype) == ((1, 1, TINY.dimensions), np.float32)
    np.testing.assert_allclose(found[0], network(pixels).numpy(), atol=1e-6)
    assert np.abs(found[0] - network(squashed_recipe("tv017")(image[None])).numpy()).max() > 1e-5


def test_features_are_one_row_for_each_frame_and_image(network: DreamSim) -> None:
    images = tuple((position, drawn(1, 50, 50, seed)[0]) for seed, position in enumerate((0.0, 0.5, 1.0)))
    batch = Batch(frames=drawn(4)[:, None], indices=np.arange(4)[:, None], stream=stream(4), images=images)
    found = DreamsimEnsemble(network=network).extract(batch)["embedding"]
    assert (found.shape, found.dtype) == ((4, TINY.dimensions), np.float32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    of_images = DreamsimEnsembleImages(network=network).extract(batch)["embedding"]
    assert of_images.shape == (4, 3, TINY.dimensions)
    assert (of_images == of_images[:1]).all()
    assert np.abs(of_images[0, 0] - of_images[0, 1]).max() > 1e-4


def test_what_can_change_a_number_is_told_apart() -> None:
    frames, legacy, images = DreamsimEnsemble().info, DreamsimEnsemble("legacy").info, DreamsimEnsembleImages().info
    assert (frames.preprocess, legacy.preprocess) == ("exact224-bicubic-antialias-unit", "exact224-bicubic-unit")
    assert legacy == replace(frames, preprocess=legacy.preprocess)
    assert images.preprocess == "pillow-exact224-bicubic-antialias-unit"
    assert images.needs == {"keyframes"}
    assert set(frames.weights) == set(images.weights) == {"dreamsim-ensemble", "dino-vitb16"}


def test_metric_and_extractors_are_found_by_name() -> None:
    metric = registry("metrics").create("i2v_background:resize=legacy")
    for request in metric.info.requests:
        assert registry("extractors").create(request.extractor).info.name == request.extractor.partition(":")[0]
