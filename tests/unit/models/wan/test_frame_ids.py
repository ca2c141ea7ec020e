"""Frames of positions, against decimal arithmetic and the spec's own examples."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.frame_ids import frame_ids, image_at_frame, unchecked_frame_id


@pytest.mark.parametrize(("frame", "rounded"), [(60, 64), (20, 16), (52, 48), (4, 0), (12, 16), (28, 32), (36, 32)])
def test_halves_go_to_the_even_multiple(frame: int, rounded: int) -> None:
    assert frame_ids([frame / 80], 81) == (rounded,)


def test_frames_are_cut_before_they_are_rounded() -> None:
    # 20.9 is cut to 20, which goes to 16; rounded it would be 21, which goes to 24.
    assert frame_ids([20.9 / 80], 81) == (16,)
    assert frame_ids([12 / 80 - 1e-9], 81) == (8,)


@given(eighths=st.integers(0, 30), position=st.fractions(0, 1))
def test_it_is_the_formula_in_exact_arithmetic(eighths: int, position: Fraction) -> None:
    total, exact = 8 * eighths + 1, float(position)
    frame = int(Fraction(exact * (total - 1)))
    (found,) = frame_ids([exact], total)
    assert found == 8 * round(Fraction(frame, 8))
    assert 0 <= found < total
    assert abs(found - exact * (total - 1)) <= 5


@pytest.mark.parametrize("total", [0, -7, 8, 48, 53, 77, 80, 84])
def test_numbers_of_frames_that_images_can_miss_are_refused(total: int) -> None:
    with pytest.raises(ConfigError, match=f"`num_frames` got {total}; expected a multiple of 8 plus 1"):
        frame_ids([0.0], total)


def test_the_refusal_names_the_lengths_on_both_sides() -> None:
    with pytest.raises(ConfigError, match=r"Ask for 73 or 81\.$"):
        frame_ids([1.0], 77)
    assert unchecked_frame_id(1.0, 77) == 80  # behind the last frame: where the reference stops
    assert unchecked_frame_id(1.0, 53) == 48


@pytest.mark.parametrize("position", [-0.01, 1.01, float("nan"), float("inf"), 40])
def test_positions_outside_the_clip_are_refused(position: float) -> None:
    with pytest.raises(DataError, match=f"`positions` has {position!r}; expected numbers from 0"):
        frame_ids([0.0, position], 81)


def test_no_position_is_refused() -> None:
    with pytest.raises(DataError, match="`positions` is empty"):
        frame_ids([], 81)


def test_of_images_on_one_frame_the_last_one_wins() -> None:
    ids = frame_ids([0.3, 0.0, 0.31], 81)
    assert ids == (24, 0, 24)
    assert image_at_frame(ids) == {24: 2, 0: 1}
    assert frame_ids([0.0, 1.0], 1) == (0, 0)
