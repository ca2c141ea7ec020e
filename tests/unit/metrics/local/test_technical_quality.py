import cv2
import numpy as np
import pytest
from local_metrics import film_frame, jpeg, needs, score_local
from PIL import Image

from anisora.harness.render import Scene, render
from anisora.metrics.local.natural_scene_statistics import (
    asymmetric_gaussian,
    halved,
    neighbour_products,
    normalised_contrast,
    symmetric_gaussian,
)
from anisora.metrics.local.technical_quality_brisque import brisque_features, regress
from anisora.metrics.local.technical_quality_niqe import KEPT, distance, patch_features

METRICS = [
    pytest.param("technical_quality_niqe", marks=needs("niqe")),
    pytest.param("technical_quality_brisque", marks=[needs("brisque"), needs("niqe")]),  # whose wheel has the film
]


def blurred(frame, sigma):
    return cv2.GaussianBlur(frame, (0, 0), sigma)


@pytest.mark.parametrize("size", [(16, 24), (15, 23), (8, 9)])
def test_halving_is_pillow_s_bicubic(size) -> None:
    plane = np.random.default_rng(0).uniform(0, 255, size).astype(np.float32)
    assert halved(plane).shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    even = plane[: size[0] - size[0] % 2, : size[1] - size[1] % 2]
    theirs = np.asarray(
        Image.fromarray(even).resize((even.shape[1] // 2, even.shape[0] // 2), Image.Resampling.BICUBIC)
    )
    np.testing.assert_allclose(halved(even), theirs, atol=1e-3)


def test_contrast_is_the_distance_from_the_weighted_mean_in_deviations() -> None:
    plane = np.random.default_rng(1).uniform(0, 255, (9, 9))
    contrast, deviation = normalised_contrast(plane)
    offsets = np.arange(-3, 4)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * (7 / 6) ** 2))
    weights /= weights.sum()
    window = plane[1:8, 2:9]
    mean = (weights * window).sum()
    spread = np.sqrt((weights * window**2).sum() - mean**2)
    assert deviation[4, 5] == pytest.approx(spread)
    assert contrast[4, 5] == pytest.approx((plane[4, 5] - mean) / (spread + 1))


def test_neighbours_are_left_above_above_left_and_above_right() -> None:
    plane = np.arange(9.0).reshape(3, 3)
    assert [product[1, 1] / 4.0 for product in neighbour_products(plane)] == [3.0, 1.0, 0.0, 2.0]


@pytest.mark.parametrize(("draw", "shape"), [("normal", 2.0), ("laplace", 1.0)])
def test_the_shape_of_a_known_distribution_is_found(draw, shape) -> None:
    values = getattr(np.random.default_rng(0), draw)(size=200_000)
    fitted, variance = symmetric_gaussian(values)
    assert fitted == pytest.approx(shape, rel=0.03)
    assert variance == pytest.approx(values.var(), rel=0.01)


def test_two_widths_of_a_known_distribution_are_found() -> None:
    rng = np.random.default_rng(0)
    left, right = 1.0, 2.0
    size = np.abs(rng.normal(size=300_000))
    side = rng.uniform(size=300_000) < right / (left + right)
    shape, mean, low, high = asymmetric_gaussian(np.where(side, right * size, -left * size))
    assert shape == pytest.approx(2.0, rel=0.03)
    assert (low, high) == (pytest.approx(left, rel=0.02), pytest.approx(right, rel=0.02))
    assert mean == pytest.approx((high - low) * np.sqrt(2 / np.pi), rel=0.02)


def test_what_has_no_spread_has_no_statistics() -> None:
    assert symmetric_gaussian(np.zeros(9)) is None
    assert asymmetric_gaussian(np.abs(np.random.default_rng(0).normal(size=9))) is None
    assert brisque_features(np.full((64, 64), 0, np.uint8)) is None
    assert patch_features(np.full((192, 192), 90, np.uint8)).shape == (0, len(KEPT))


def test_a_support_vector_at_the_features_has_its_full_weight() -> None:
    features = brisque_features(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    far = np.full((1, 36), 1e3)
    nothing = regress(features, far, np.array([7.0]))
    assert nothing == pytest.approx(155.845)
    # The scaling is undone by asking where the kernel is 1.
    low = regress(features, np.zeros((1, 36)), np.array([1.0])) - nothing
    assert 0 < low < 1


def test_pictures_with_the_pristine_mean_have_no_distance() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 32))
    assert distance(features, features.mean(axis=0), np.eye(32)) == pytest.approx(0.0, abs=1e-9)
    one = features[:1]
    assert distance(one, one[0] + np.eye(32)[0], np.eye(32)) == pytest.approx(np.sqrt(2.0))


@pytest.mark.parametrize("metric", METRICS)
def test_blur_and_jpeg_raise_the_number_of_an_animated_film(metric, tmp_path) -> None:
    frame = film_frame()

    def value(picture):
        return score_local(metric, picture[None], folder=tmp_path).value

    whole = value(frame)
    for damaged in (blurred(frame, 1.5), blurred(frame, 3.0), jpeg(frame, 25), jpeg(frame, 8)):
        assert value(damaged) > whole + 0.5


@needs("brisque")
@pytest.mark.slow
def test_blur_and_strong_jpeg_raise_brisque_of_drawings(tmp_path) -> None:
    # Not so NIQE, which knows photographs only: docs/metrics/technical_quality_niqe.md.
    for action, seed in (("walk", 5), ("talk", 24), ("petals", 56), ("cast", 17)):
        frame = render(Scene(action=action, seed=seed, num_frames=1, width=640, height=360))[0]
        whole, soft, coded = (
            score_local("technical_quality_brisque", picture[None], folder=tmp_path).value
            for picture in (frame, blurred(frame, 1.5), jpeg(frame, 8))
        )
        assert min(soft, coded) > whole, action


@pytest.mark.parametrize("metric", METRICS)
def test_small_and_flat_frames_are_left_unscored_with_the_reason(metric, tmp_path) -> None:
    for frames in (np.zeros((2, 32, 48, 3), np.uint8), np.full((2, 200, 200, 3), 0, np.uint8)):
        score = score_local(metric, frames, folder=tmp_path)
        assert score.value is None
        assert f"{frames.shape[2]}x{frames.shape[1]}" in score.note
