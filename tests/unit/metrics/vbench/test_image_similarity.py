"""The formula that i2v_subject and i2v_background share."""

import numpy as np
import pytest

from anisora.metrics.vbench.image_similarity import image_similarity_score


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in a plane: their cosines are those of the angles between them."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def cosines(*degrees: float) -> list[float]:
    return np.cos(np.deg2rad(degrees)).tolist()


def test_the_best_frame_counts_against_the_image_and_the_mean_and_the_worst_step_beside_it() -> None:
    value, to_image, to_before = image_similarity_score(at(10)[0], at(0, 30, 45, 40))
    assert to_image == pytest.approx(cosines(10, 20, 35, 30), abs=1e-6)
    assert to_before == pytest.approx(cosines(30, 15, 5), abs=1e-6)
    steps = cosines(30, 15, 5)
    assert value == pytest.approx(0.4 * cosines(10)[0] + 0.3 * sum(steps) / 3 + 0.3 * min(steps), abs=1e-6)


def test_the_first_frame_counts_against_the_image_like_any_other() -> None:
    value, *_ = image_similarity_score(at(0)[0], at(0, 60, 60))
    assert value == pytest.approx(0.4 * 1 + 0.3 * (0.5 + 1) / 2 + 0.3 * 0.5, abs=1e-6)


def test_a_still_clip_that_shows_the_image_has_one() -> None:
    value, to_image, to_before = image_similarity_score(at(20)[0], at(20, 20, 20))
    assert value == pytest.approx(1, abs=1e-6)
    assert (len(to_image), len(to_before)) == (3, 2)


def test_what_is_unlike_counts_as_nothing_and_no_less() -> None:
    value, to_image, to_before = image_similarity_score(at(180)[0], at(0, 100))
    assert to_image == pytest.approx([0, *cosines(80)], abs=1e-6)
    assert to_before.tolist() == [0]
    assert value == pytest.approx(0.4 * cosines(80)[0], abs=1e-6)


def test_lengths_do_not_matter_and_a_feature_of_zeros_is_like_nothing() -> None:
    frames = at(0, 30)
    value, *_ = image_similarity_score(at(10)[0], frames)
    assert image_similarity_score(5 * at(10)[0], frames * np.float32([[2], [7]]))[0] == pytest.approx(value, abs=1e-6)
    assert image_similarity_score(np.zeros(2, np.float32), frames)[1].tolist() == [0, 0]


def test_the_sums_are_of_double_precision() -> None:
    _, to_image, to_before = image_similarity_score(at(10)[0], at(0, 30))
    assert to_image.dtype == to_before.dtype == np.float64
