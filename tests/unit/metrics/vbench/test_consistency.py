"""subject_consistency, background_consistency, aesthetic_quality and i2v_subject as formulas over features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trial_metrics import Stream, make_item

from anisora.harness.errors import ConfigError
from anisora.harness.stages.score import score_one
from anisora.harness.types import Condition, FrameSampling, Generation, Image
from anisora.metrics.vbench.aesthetic_quality import AestheticQuality
from anisora.metrics.vbench.background_consistency import BackgroundConsistency
from anisora.metrics.vbench.i2v_subject import I2vSubject
from anisora.metrics.vbench.image_similarity import image_similarity_score
from anisora.metrics.vbench.similarity import clamped_cosine, consistency_terms
from anisora.metrics.vbench.subject_consistency import SubjectConsistency

FEATURES = np.random.default_rng(0).normal(0.3, 1, (6, 8)).astype(np.float32)


class Known(Stream):
    """Gives features by extractor."""

    def __init__(self, **features: Mapping[str, Any]) -> None:
        super().__init__(num_frames=6)
        self._features = {name.replace("__", ":"): value for name, value in features.items()}
        self.asked: list[str] = []

    def get(self, item: Generation, extractor: str, sampling: FrameSampling) -> Mapping[str, Any]:
        self.asked.append(extractor)
        return self._features[extractor.partition(":")[0]]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return max(0.0, float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def test_each_frame_is_compared_with_the_one_before_and_the_first() -> None:
    wide = FEATURES.astype(np.float64)
    expected = [(cosine(wide[t - 1], wide[t]) + cosine(wide[0], wide[t])) / 2 for t in range(1, 6)]
    assert consistency_terms(FEATURES) == pytest.approx(expected, abs=1e-12)
    assert min(expected) == pytest.approx(consistency_terms(FEATURES).min())


def test_opposite_features_count_as_unlike_and_no_worse() -> None:
    assert clamped_cosine(np.array([1.0, 0.0]), np.array([-1.0, 0.1])) == 0
    assert clamped_cosine(np.zeros(2), np.ones(2)) == 0


@pytest.mark.parametrize(
    ("metric", "extractor"), [(SubjectConsistency(), "dino_vitb16"), (BackgroundConsistency(), "clip_vit_b32")]
)
def test_a_clip_weighs_the_frames_that_it_compares(metric: Any, extractor: str) -> None:
    score = score_one(metric, make_item(), Known(**{extractor: {"embedding": FEATURES}}))
    assert score.value == pytest.approx(consistency_terms(FEATURES).mean())
    assert score.weight == 5
    assert score.parts["frames"] == consistency_terms(FEATURES).tolist()
    assert score_one(metric, make_item(), Stream(num_frames=1)).value is None


def test_aesthetic_quality_is_a_tenth_of_the_mean_rating() -> None:
    score = score_one(AestheticQuality(), make_item(), Known(laion_aesthetic={"score": np.array([4.0, 6.0, 5.0])}))
    assert score.value == pytest.approx(0.5)
    assert score.parts["frames"] == pytest.approx([0.4, 0.6, 0.5])
    assert score.weight == 1


def item_with_images(*positions: float) -> Generation:
    images = tuple((position, Image(path=Path(f"{position}.png"), digest="0" * 64)) for position in positions)
    return make_item(condition=Condition(keyframes=images))


def test_the_best_frame_counts_against_the_image_and_the_worst_step_counts_apart() -> None:
    image = FEATURES[2] + 0.1
    value, to_image, to_before = image_similarity_score(image, FEATURES)
    assert to_image == pytest.approx([cosine(image.astype(float), frame.astype(float)) for frame in FEATURES])
    assert len(to_before) == 5
    assert value == pytest.approx(0.4 * to_image[2] + 0.3 * to_before.mean() + 0.3 * to_before.min())
    features = {
        "dino_vitb16": {"embedding": FEATURES},
        "dino_vitb16_images": {"embedding": np.array([[FEATURES[0], image]])},
    }
    score = score_one(I2vSubject(), item_with_images(1.0, 0.0), Known(**features))
    assert score.value == pytest.approx(value)


def test_a_clip_without_an_image_at_its_beginning_is_unscored() -> None:
    score = score_one(I2vSubject(), item_with_images(1.0), Known())
    assert score.value is None
    assert "no image is at position 0; the images are at [1.0]" in score.note


def test_the_older_resize_is_another_metric_with_its_own_name() -> None:
    frames = Known(dino_vitb16={"embedding": FEATURES}, dino_vitb16_images={"embedding": np.stack([FEATURES[:1]])})
    legacy = I2vSubject("legacy")
    assert legacy.info.name == "i2v_subject:resize=legacy"
    assert score_one(legacy, item_with_images(0.0), frames).value is not None
    assert frames.asked == ["dino_vitb16:view=cropped,resize=legacy", "dino_vitb16_images"]
    with pytest.raises(ConfigError, match="`resize` got 'bicubic'"):
        I2vSubject("bicubic")
