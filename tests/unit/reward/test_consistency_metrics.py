"""Text-video and image-video consistency of whole rendered clips, with tiny networks, from frames to rows."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from tiny_regressors import tiny_regressor, tiny_tokenizer

from anisora.harness.errors import ConfigError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.reference_sampling import clip_24_of_144
from anisora.harness.media.sampling import sample_indices
from anisora.harness.protocols import Batch, Metric
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.stages.plan import metric_names, plan_metrics
from anisora.harness.stages.score import score_one
from anisora.harness.types import Condition, FrameArray, Frames, FrameSampling, Generation, Image, Sample, Score
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.reward.extractors.image_video_regressor import ImageVideoRegressor
from anisora.reward.extractors.image_video_regressor_images import ImageVideoRegressorImages
from anisora.reward.extractors.text_video_regressor import TextVideoRegressor
from anisora.reward.extractors.text_video_regressor_text import TextVideoRegressorText
from anisora.reward.image_video_consistency import ImageVideoConsistency
from anisora.reward.networks.consistency_regressor import consistency_score
from anisora.reward.text_video_consistency import TextVideoConsistency

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PROMPT = "a girl walks in the rain"
LONG = "a girl walks , " * 10 + "a boy runs in the red sun ."


@pytest.fixture(scope="module")
def image_network():
    return tiny_regressor("image", seed=1)


@pytest.fixture(scope="module")
def text_network():
    return tiny_regressor("text", seed=1)


@pytest.fixture
def store(image_network, text_network) -> Iterator[FeatureStore]:
    tokenizer = tiny_tokenizer()
    extractors = {
        "image_video_regressor": ImageVideoRegressor(network=image_network),
        "text_video_regressor": TextVideoRegressor(network=text_network),
    }
    for mode, suffix in (("reference", ""), ("corrected", ":mode=corrected")):
        extractors[f"image_video_regressor_images{suffix}"] = ImageVideoRegressorImages(mode, network=image_network)
        extractors[f"text_video_regressor_text{suffix}"] = TextVideoRegressorText(
            mode, network=text_network, tokenizer=tokenizer
        )
    with FeatureStore(pool=DecoderPool(), extractors=extractors) as opened:
        yield opened


def clip(num_frames: int = 30, *, seed: int = 0, width: int = 96, height: int = 54) -> Frames:
    return render(Scene(action="walk", seed=seed, width=width, height=height, num_frames=num_frames))


def picture(folder: Path, pixels: Frames, name: str = "first.png") -> Image:
    path = folder / name
    PillowImage.fromarray(pixels).save(path)
    return Image(path=path, digest=sha256_of_file(path))


def score(
    metric: Metric,
    frames: Frames,
    store: FeatureStore,
    *,
    prompt: str | None = None,
    images: tuple[tuple[float, Image], ...] = (),
) -> Score:
    sample = Sample(id="a", prompt=prompt, condition=Condition(keyframes=images))
    return score_one(metric, Generation(sample=sample, clip=FrameArray(frames=frames, fps=16.0), model="m"), store)


def squashed(images: Frames) -> "torch.Tensor":
    """Pillow's bicubic squash to the network's side, /255 and CLIP's normalisation, by hand."""
    small = [PillowImage.fromarray(image).resize((32, 32), PillowImage.Resampling.BICUBIC) for image in images]
    values = (np.stack([np.asarray(each) for each in small]) / 255.0 - MEAN) / STD
    return torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2)


def by_hand(network, frames: Frames, key: "torch.Tensor") -> float:
    seen = network.picture_features(squashed(frames[clip_24_of_144(len(frames))]))
    return consistency_score(network.frame_logits(seen), network.key_logits(key)[0])


@pytest.mark.parametrize("total", [1, 7, 24, 25, 49, 144, 200])
def test_the_frames_are_the_24_of_the_first_144(total) -> None:
    indices = sample_indices(FrameSampling(mode="reward"), num_frames=total, fps=16.0)
    assert indices.tolist() == clip_24_of_144(total)
    assert len(indices) == min(total, 24)


@pytest.mark.parametrize("total", [3, 24, 49])
def test_the_image_score_is_that_of_the_steps_done_by_hand(total, image_network, store, tmp_path) -> None:
    frames, image = clip(total), clip(1, seed=4, width=80, height=80)[0]
    found = score(ImageVideoConsistency(), frames, store, images=((0.0, picture(tmp_path, image)),))
    expected = by_hand(image_network, frames, image_network.picture_features(squashed(image[None])))
    assert found.value == pytest.approx(expected, abs=1e-5)
    assert 0.01 < expected < 0.99
    assert len(found.parts["frames"]) == min(total, 24)
    swapped = by_hand(
        image_network, frames[..., ::-1], image_network.picture_features(squashed(image[None, ..., ::-1]))
    )
    assert abs(swapped - expected) > 1e-3, "BGR would not be noticed"


def test_the_text_score_is_that_of_the_steps_done_by_hand(text_network, store) -> None:
    frames = clip(30)
    ids, mask = tiny_tokenizer()(PROMPT, length=30, fill=True)
    expected = by_hand(text_network, frames, text_network.text_features(ids, mask))
    found = score(TextVideoConsistency(), frames, store, prompt=PROMPT)
    assert found.value == pytest.approx(expected, abs=1e-5)
    assert 0.01 < expected < 0.99
    assert found.parts["word_pieces"] == [6, 6]
    assert len(found.parts["frames"]) == 24


def test_another_prompt_and_another_image_change_the_score_and_doing_it_again_does_not(store, tmp_path) -> None:
    frames = clip(30)
    first, other = picture(tmp_path, frames[0]), picture(tmp_path, clip(1, seed=9)[0], "other.png")
    text = [score(TextVideoConsistency(), frames, store, prompt=each).value for each in (PROMPT, PROMPT, "a boy waves")]
    image = [
        score(ImageVideoConsistency(), frames, store, images=((0.0, each),)).value for each in (first, first, other)
    ]
    for one, again, swapped in (text, image):
        assert one is not None
        assert np.isfinite(one)
        assert one == again
        assert swapped is not None
        assert abs(swapped - one) > 1e-4


@pytest.mark.parametrize("kind", ["image", "text"])
def test_the_size_of_a_batch_does_not_matter(kind, image_network, text_network) -> None:
    extractor = (
        ImageVideoRegressor(network=image_network) if kind == "image" else TextVideoRegressor(network=text_network)
    )
    frames = clip(24)

    def logits(size: int) -> np.ndarray:
        rows = []
        for start in range(0, 24, size):
            indices = np.arange(start, min(start + size, 24))[:, None]
            rows.append(extractor.extract(Batch(frames=frames[indices], indices=indices, stream=None))["logit"])  # type: ignore[arg-type]
        return np.concatenate(rows)

    one = logits(1)
    assert np.ptp(one) > 1e-4, "the frames are all alike"
    for size in (2, 5, 8, 24):
        np.testing.assert_allclose(logits(size), one, atol=1e-5)


def test_a_prompt_is_read_to_28_pieces_or_whole(store, text_network) -> None:
    frames = clip(10)
    reference, corrected = TextVideoConsistency(), TextVideoConsistency("corrected")
    cut, whole = (score(metric, frames, store, prompt=LONG) for metric in (reference, corrected))
    assert cut.parts["word_pieces"] == [28, 48]
    assert whole.parts["word_pieces"] == [46, 48]  # 48 positions, start and end among them
    changed = LONG.replace("a boy runs", "the girl waves")
    assert score(reference, frames, store, prompt=changed).value == cut.value
    assert score(corrected, frames, store, prompt=changed).value != whole.value
    short = [score(metric, frames, store, prompt=PROMPT).value for metric in (reference, corrected)]
    assert short[0] == pytest.approx(short[1], abs=1e-6)


def test_the_image_is_squashed_as_it_is_or_after_the_cut_of_the_clip(store, tmp_path, image_network) -> None:
    frames = clip(10, width=96, height=54)
    wide = clip(1, seed=3, width=200, height=60)[0]
    images = ((0.0, picture(tmp_path, wide)),)
    values = [
        score(ImageVideoConsistency(mode), frames, store, images=images).value for mode in ("reference", "corrected")
    ]
    cut = cover_crop(wide, 54, 96)
    assert cut.shape == (54, 96, 3)
    expected = [
        by_hand(image_network, frames, image_network.picture_features(squashed(image[None]))) for image in (wide, cut)
    ]
    assert values == pytest.approx(expected, abs=1e-5)
    assert abs(expected[0] - expected[1]) > 1e-4


def test_the_image_at_the_beginning_is_the_one_that_counts(store, tmp_path) -> None:
    frames = clip(10)
    first, last = picture(tmp_path, frames[0]), picture(tmp_path, clip(1, seed=9)[0], "last.png")
    alone = score(ImageVideoConsistency(), frames, store, images=((0.0, first),))
    both = score(ImageVideoConsistency(), frames, store, images=((0.0, first), (1.0, last)))
    assert both.value == alone.value
    only_last = score(ImageVideoConsistency(), frames, store, images=((1.0, last),))
    assert only_last.value is None
    assert "no image is at position 0" in only_last.note


def test_without_prompt_or_image_clips_are_left_unscored_with_a_next_step(store, tmp_path) -> None:
    frames = clip(4)
    missing = score(ImageVideoConsistency(), frames, store)
    assert missing.value is None
    assert missing.note == "the item has no conditioning image; add it to the manifest"
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    gone = Image(path=tmp_path / "gone.png", digest="0" * 64)
    for image, reason in ((Image(path=path, digest=sha256_of_file(path)), "not-a-video"), (gone, "missing")):
        unreadable = score(ImageVideoConsistency(), frames, store, images=((0.0, image),))
        assert unreadable.value is None
        assert unreadable.note.startswith(f"a conditioning image cannot be read ({reason}: ")
        assert unreadable.note.endswith("replace the file")
        assert str(tmp_path) not in unreadable.note, "rows must not differ between machines"
    assert score(TextVideoConsistency(), frames, store).note == "the item has no prompt; add it to the manifest"
    assert "the prompt is empty" in score(TextVideoConsistency(), frames, store, prompt=" ").note


def test_the_mode_is_an_argument_and_part_of_name_and_protocol(monkeypatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "0")
    names = ["image_video_consistency", "text_video_consistency"]
    spelled = [*names, *(f"{name}:mode=corrected" for name in names)]
    assert metric_names([*spelled, f"{names[0]}:mode=reference"]) == sorted(spelled)
    plan = plan_metrics(sorted(spelled), [], leave_out=False)
    assert len({plan.fingerprint(name) for name in spelled}) == 4
    for name, words in (
        ("image_video_consistency:mode=corrected", "cover-crop-pillow-exact224-bicubic-norm0.481"),
        ("text_video_consistency:mode=corrected", "bert-uncased-whole"),
        ("text_video_consistency", "bert-uncased-30-filled"),
    ):
        assert words in json.dumps(plan.protocol[name])
    assert '"sampling": "reward"' in json.dumps(plan.protocol[names[0]])
    assert metric_names(["reward"]) >= names
    for name in names:
        with pytest.raises(ConfigError, match="`mode` got 'best'; expected one of reference, corrected"):
            registry("metrics").create(f"{name}:mode=best")


def test_a_frame_that_both_modes_see_is_computed_once(store, tmp_path) -> None:
    frames = clip(30)
    images = ((0.0, picture(tmp_path, frames[0])),)
    for mode in ("reference", "corrected"):
        score(ImageVideoConsistency(mode), frames, store, images=images)
    forwards = store.counters.forwards
    assert forwards["image_video_regressor"] <= 30  # of the 48 frames that the two modes take together
    assert forwards["image_video_regressor_images"] == 2


def test_the_networks_are_not_for_commercial_use() -> None:
    for metric in (ImageVideoConsistency(), TextVideoConsistency()):
        assert not metric.info.commercial_use
        assert metric.info.value_range == (0.0, 1.0)


def test_the_extractors_without_what_they_need_say_so(text_network) -> None:
    from anisora.harness.errors import MetricError

    frames = clip(1)
    batch = Batch(frames=frames[:, None], indices=np.zeros((1, 1), np.int64), stream=None)  # type: ignore[arg-type]
    extractor = TextVideoRegressorText(network=text_network, tokenizer=tiny_tokenizer())
    with pytest.raises(MetricError, match="got no prompt"):
        extractor.extract(batch)
    assert extractor.extract(replace(batch, prompt=PROMPT))["logit"].shape == (1,)
