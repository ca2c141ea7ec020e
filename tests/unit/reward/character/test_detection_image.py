"""The detector's picture: sizes by hand, and torchvision's own resize."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import MetricError
from anisora.harness.render import Scene, render
from anisora.reward.character.detection_image import cover_size, detection_image

pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("image", "frame", "expected"),
    [
        ((1080, 1920), (480, 832), (480, 853)),  # 853.3
        ((1080, 1920), (720, 1280), (720, 1280)),
        ((1000, 1000), (480, 832), (832, 832)),
        ((1920, 1080), (480, 832), (1479, 832)),  # 1479.1
        ((300, 500), (480, 832), (499, 832)),  # 499.2
        ((7, 5), (3, 2), (3, 2)),  # 2.8 wide as high as 3 would be 2.1 wide
        ((480, 832), (480, 832), (480, 832)),
    ],
)
def test_sizes_that_cover_a_frame(image, frame, expected) -> None:
    assert cover_size(image, frame) == expected


SIDE = st.integers(1, 5000)


@given(SIDE, SIDE, SIDE, SIDE)
def test_the_frame_is_covered_whatever_the_sizes(height, width, frame_height, frame_width) -> None:
    rows, columns = cover_size((height, width), (frame_height, frame_width))
    assert rows >= frame_height
    assert columns >= frame_width
    assert frame_height == rows or frame_width == columns


def test_the_middle_is_cut_and_an_odd_pixel_goes_off_at_the_right() -> None:
    image = np.zeros((4, 11, 3), np.uint8)
    image[:, :, 0] = np.arange(11)
    assert detection_image(image, 4, 6)[0, :, 0].tolist() == [2, 3, 4, 5, 6, 7]
    upright = np.ascontiguousarray(image.transpose(1, 0, 2))
    assert detection_image(upright, 6, 4)[:, 0, 0].tolist() == [2, 3, 4, 5, 6, 7]


def test_pixels_are_torchvisions() -> None:
    import torch

    resize = pytest.importorskip("torchvision.transforms.functional").resize
    from torchvision.transforms import InterpolationMode

    image = render(Scene(action="wave", seed=2, num_frames=1, width=200, height=90))[0]
    found = detection_image(image, 60, 100)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]
    expected = resize(tensor, [60, 133], interpolation=InterpolationMode.BICUBIC, antialias=True)[0]
    np.testing.assert_array_equal(found, expected.permute(1, 2, 0).numpy()[:, 16:116])
    assert found.dtype == np.uint8


def test_an_image_of_the_frames_size_stays_as_it_is() -> None:
    image = render(Scene(action="wave", seed=2, num_frames=1, width=64, height=36))[0]
    np.testing.assert_array_equal(detection_image(image, 36, 64), image)


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 3), (4, 4, 4)])
def test_another_shape_is_an_error(shape) -> None:
    with pytest.raises(MetricError, match=r"expected uint8 \(h, w, 3\)"):
        detection_image(np.zeros(shape, np.uint8), 4, 4)
