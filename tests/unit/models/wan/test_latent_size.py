import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError
from anisora.models.wan.latent_size import latent_size

sides = st.integers(64, 3000)


@given(area=st.integers(64 * 64, 1500 * 1500), height=sides, width=sides)
def test_sizes_are_whole_patches_within_the_area(area: int, height: int, width: int) -> None:
    ratio = height / width
    if min(area * ratio, area / ratio) < 17**2:
        return
    size = latent_size(area, height, width)
    assert size.height % 2 == size.width % 2 == 0
    assert (size.pixel_height, size.pixel_width) == (8 * size.height, 8 * size.width)
    assert size.pixel_height * size.pixel_width <= area * (1 + 1e-9)
    assert size.pixel_height + 16 > (area * ratio) ** 0.5 - 1e-6
    assert size.pixel_width + 16 > (area / ratio) ** 0.5 - 1e-6


@given(area=st.integers(10_000, 10**6), height=sides, width=sides)
def test_a_picture_on_its_side_gives_a_clip_on_its_side(area: int, height: int, width: int) -> None:
    if min(area * height / width, area * width / height) < 17**2:
        return
    upright, lying = latent_size(area, height, width), latent_size(area, width, height)
    # The two square roots may round to two sides of a whole patch.
    assert abs(upright.height - lying.width) <= 2
    assert abs(upright.width - lying.height) <= 2


def test_only_the_area_counts() -> None:
    assert latent_size(832 * 480, 1000, 1000) == latent_size(480 * 832, 512, 512)
    assert latent_size(1280 * 720, 720, 1280).pixel_width == 1280


def test_strides_and_patches_of_rows_and_columns_are_told_apart() -> None:
    size = latent_size(100 * 100, 10, 10, vae_stride=(4, 5, 10), patch_size=(1, 3, 2))
    assert (size.height, size.width, size.pixel_height, size.pixel_width) == (18, 10, 90, 100)


@pytest.mark.parametrize(("area", "height", "width"), [(100, 8, 8), (1024, 10, 1000), (1024, 1000, 10)])
def test_an_area_without_a_patch_is_refused(area: int, height: int, width: int) -> None:
    with pytest.raises(ConfigError, match=f"an image of {width}x{height} gets .* expected at least one patch"):
        latent_size(area, height, width)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (100, 0, 1), (100, 1, -1)])
def test_sizes_that_are_none_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="expected positive numbers of pixels"):
        latent_size(*sizes)
