"""Pixel measures of the audit, on clips whose answer is known."""

import numpy as np
import pytest

from anisora.training.audit.distances import Place, first_frame_distance, small_pictures, surroundings
from anisora.training.audit.grid_peak import grid_peak


def _noise(seed: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 110, (3, *size, 3)).astype(np.uint8)


@pytest.mark.parametrize("period", [8, 16])
def test_a_grid_of_faint_lines_stands_out_of_noise(period: int) -> None:
    clip = _noise(0, (96, 128))
    lines = clip.copy()
    lines[:, ::period] += 8
    lines[:, :, ::period] += 8
    plain, grid = grid_peak(clip), grid_peak(lines)
    assert plain is not None
    assert grid is not None
    assert abs(plain) < 3
    assert grid > plain + 3


@pytest.mark.parametrize("period", [10, 11])
def test_lines_at_other_periods_are_no_grid(period: int) -> None:
    clip = _noise(1, (96, 128))
    lines = clip.copy()
    lines[:, :, ::period] += 8
    plain, other = grid_peak(clip), grid_peak(lines)
    assert plain is not None
    assert other is not None
    assert other < plain + 1


def test_a_blank_clip_has_no_grid_and_a_small_one_no_answer() -> None:
    assert grid_peak(np.full((2, 64, 64, 3), 120, np.uint8)) == pytest.approx(0, abs=1e-6)
    assert grid_peak(_noise(2, (47, 64))) is None


def test_the_distance_from_the_first_frame_is_the_mean_over_later_ones() -> None:
    clip = np.zeros((3, 48, 64, 3), np.uint8)
    clip[1], clip[2] = 10, 30
    assert first_frame_distance(small_pictures(clip)) == pytest.approx(20)
    assert first_frame_distance(small_pictures(clip[:1])) is None


def test_small_pictures_do_not_see_noise() -> None:
    clip = np.full((4, 480, 640, 3), 128.0)
    noisy = (clip + np.random.default_rng(0).normal(0, 5, clip.shape)).round().astype(np.uint8)
    distance = first_frame_distance(small_pictures(noisy))
    assert distance is not None
    assert distance < 0.5


def _place(item: str, seed: int, level: float, image: str | None = None) -> Place:
    return Place(item=item, seed=seed, image=image, moments=np.full((4, 24, 32, 3), level, np.float32))


def test_the_swap_test_tells_whether_prompts_decide_what_is_shown() -> None:
    told = surroundings([_place("a", 0, 0), _place("a", 1, 2), _place("b", 0, 20), _place("b", 1, 22)])
    assert (told[0].within, told[0].between) == (2.0, 21.0)
    assert told[0].specificity == pytest.approx(1 - 2 / 21)
    alike = surroundings([_place(item, seed, 7) for item in "ab" for seed in range(2)])
    assert [each.specificity for each in alike] == [0.0] * 4
    alone = surroundings([_place("a", 0, 0), _place("b", 0, 20)])
    assert [(each.within, each.specificity) for each in alone] == [(None, None)] * 2


def test_items_that_share_an_image_are_compared_among_themselves() -> None:
    places = [_place("a", 0, 0, "x"), _place("b", 0, 10, "x"), _place("c", 0, 100, "y"), _place("d", 0, 50)]
    assert [each.between for each in surroundings(places)] == [10.0, 10.0, 80.0, pytest.approx((50 + 40 + 50) / 3)]
