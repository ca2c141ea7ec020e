"""Rotary positions from their definition, and the stretched grid against diffusers' own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.rotary import resized_region, rotary_positions

torch = pytest.importorskip("torch")
pipelines = pytest.importorskip("diffusers.pipelines.cogvideo.pipeline_cogvideox_image2video")


def angles(frames: int, rows: int, columns: int, channels: int) -> np.ndarray:
    """The definition: channels in pairs, each turned by position * 10000^(-2i/d)."""
    parts = (channels // 4, channels // 8 * 3, channels // 8 * 3)
    positions = np.stack(np.meshgrid(*map(np.arange, (frames, rows, columns)), indexing="ij"), axis=-1).reshape(-1, 3)
    turned = [
        positions[:, axis : axis + 1] * 10000.0 ** (-np.arange(0, part, 2) / part) for axis, part in enumerate(parts)
    ]
    return np.repeat(np.concatenate(turned, axis=1), 2, axis=1)


@pytest.mark.parametrize("size", [(3, 4, 6), (1, 2, 2), (13, 12, 8)])
def test_positions_are_counted_from_0_by_frame_row_and_column(size: tuple[int, int, int]) -> None:
    cosines, sines = rotary_positions(*size, head_dim=16)
    expected = angles(size[0], size[1] // 2, size[2] // 2, 16)
    np.testing.assert_allclose(cosines.numpy(), np.cos(expected), atol=2e-6)
    np.testing.assert_allclose(sines.numpy(), np.sin(expected), atol=2e-6)
    assert cosines.dtype == torch.float32


def test_the_sizes_of_the_release_have_as_many_positions_as_its_tables() -> None:
    assert rotary_positions(25, 90, 160)[0].shape == (90000, 64)
    assert rotary_positions(25, 90, 136)[0].shape == (76500, 64)


def test_positions_of_a_size_are_computed_once() -> None:
    assert rotary_positions(2, 6, 4, head_dim=16) is rotary_positions(2, 6, 4, head_dim=16)
    assert rotary_positions(2, 6, 4, head_dim=16) is not rotary_positions(2, 6, 4, head_dim=16, trained=(12, 8))


def test_the_trained_size_is_not_stretched_and_others_cover_it() -> None:
    whole, stretched = (rotary_positions(2, 60, 90, head_dim=16, trained=each) for each in (None, (60, 90)))
    for mine, theirs in zip(whole, stretched, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-4)
    small, _ = rotary_positions(1, 30, 46, head_dim=16, trained=(60, 90))
    # 15 rows and 23 columns, as wide as the trained 45, are 29 high: rows are 29/15 apart, columns 45/23.
    for place, column, row in ((1, 45 / 23, 0.0), (23, 0.0, 29 / 15)):
        np.testing.assert_allclose(small[place, [4, 10]].numpy(), np.cos([row, column]), atol=1e-5)


sides = st.integers(1, 60)


@given(grid=st.tuples(sides, sides), trained=st.tuples(sides, sides))
def test_the_region_is_that_of_diffusers(grid: tuple[int, int], trained: tuple[int, int]) -> None:
    expected = pipelines.get_resize_crop_region_for_grid(grid, trained[1], trained[0])
    assert resized_region(grid, trained) == expected


@pytest.mark.parametrize("size", [(0, 4, 4), (1, 5, 4), (1, 4, 7), (1, 0, 4)])
def test_sizes_without_whole_patches_are_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="expected at least one, with a height and width that are multiples of 2"):
        rotary_positions(*size)
