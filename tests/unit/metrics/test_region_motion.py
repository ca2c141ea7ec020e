"""The parts of region motion: where a mask lies, what the camera does, what is left."""

import numpy as np
import pytest
from metric_clips import noise, still, texture, translating

from anisora.harness.errors import MetricError
from anisora.harness.protocols import Batch
from anisora.harness.types import FrameArray, StreamInfo
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.metrics.core.region_motion_ratio import camera_motion, mask_in_frame, residual_motion
from anisora.metrics.extractors.region_motion import RegionMotion, regions

HEIGHT, WIDTH = 60, 80
INSIDE = np.zeros((HEIGHT, WIDTH), np.bool_)
INSIDE[20:40, 30:50] = True


def batch_of(clip: FrameArray, mask: np.ndarray | None) -> Batch:
    length, height, width, _ = clip.frames.shape
    stream = StreamInfo(
        fps=clip.fps, num_frames=length, height=height, width=width, codec="memory", pixel_format="rgb24"
    )
    return Batch(frames=clip.frames[None, :2], indices=np.array([[0, 1]]), stream=stream, region_mask=mask)


def affine(constant: tuple[float, float], right: tuple[float, float], down: tuple[float, float]) -> np.ndarray:
    """A flow that grows by ``right`` from the left edge to the right one, and by ``down`` from top to bottom."""
    x = np.linspace(0, 1, WIDTH)[None, :, None]
    y = np.linspace(0, 1, HEIGHT)[:, None, None]
    return np.asarray(constant) + x * np.asarray(right) + y * np.asarray(down)


def test_a_mask_of_the_frames_size_is_left_as_it_is() -> None:
    np.testing.assert_array_equal(mask_in_frame(INSIDE, HEIGHT, WIDTH), INSIDE)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_mask_of_the_frames_shape_is_repeated_or_thinned_evenly(factor: int) -> None:
    large = INSIDE.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(mask_in_frame(INSIDE, HEIGHT * factor, WIDTH * factor), large)
    np.testing.assert_array_equal(mask_in_frame(large, HEIGHT, WIDTH), INSIDE)


@pytest.mark.parametrize("size", [(60, 60), (100, 40), (30, 200), (77, 91)])
def test_a_mask_lies_where_the_conditioning_image_does(size: tuple[int, int]) -> None:
    image = (texture(*size, smoothness=6.0)[..., :1] > 127).astype(np.uint8).repeat(3, axis=2) * 255
    expected = cover_crop(image, HEIGHT, WIDTH)[..., 0] > 127
    found = mask_in_frame(image[..., 0] > 127, HEIGHT, WIDTH)
    assert (found != expected).mean() < 0.05
    assert 0.2 < found.mean() < 0.8


def test_the_belt_around_the_region_is_neither_inside_nor_outside() -> None:
    inside, outside = regions(INSIDE, 128, 171)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    around = ~outside
    near_rows, near_columns = (np.flatnonzero(around.any(axis=axis)) for axis in (1, 0))
    assert (rows[0] - near_rows[0], near_rows[-1] - rows[-1]) == (4, 4)
    assert (columns[0] - near_columns[0], near_columns[-1] - columns[-1]) == (4, 4)
    assert not (inside & outside).any()


@pytest.mark.parametrize(
    ("constant", "right", "down"),
    [
        ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
        ((3.25, -1.5), (0.0, 0.0), (0.0, 0.0)),
        ((-4.0, -3.0), (8.0, 0.0), (0.0, 6.0)),  # a zoom
        ((2.0, -2.0), (0.0, 4.0), (-4.0, 0.0)),  # a roll
        ((1.0, 2.0), (5.0, -1.0), (2.0, 3.0)),
    ],
    ids=["still", "pan", "zoom", "roll", "shear"],
)
@pytest.mark.parametrize("moved", [0.0, 0.4])
def test_an_affine_camera_is_found_though_others_move(
    constant: tuple[float, float], right: tuple[float, float], down: tuple[float, float], moved: float
) -> None:
    camera = affine(constant, right, down)
    flow = camera.copy()
    flow[INSIDE] += (9.0, 2.0)
    flow[: round(moved * HEIGHT)] += (-6.0, 5.0)  # someone else, outside the region
    np.testing.assert_allclose(camera_motion(flow, ~INSIDE), camera, atol=1e-9)


def test_half_a_still_frame_is_a_still_camera_whatever_is_outside_the_region() -> None:
    flow = np.zeros((HEIGHT, WIDTH, 2))
    flow[INSIDE] = (4.0, 1.0)
    assert not camera_motion(flow, INSIDE).any()


def test_what_the_camera_leaves_is_told_apart_by_region() -> None:
    flow = affine((1.0, 2.0), (5.0, -1.0), (2.0, 3.0))
    flow[INSIDE] += (3.0, 4.0)
    inside, outside = residual_motion(flow.astype(np.float32), INSIDE, ~INSIDE)
    assert inside == pytest.approx(5.0 / 100.0, rel=1e-5)
    assert outside == 0.0


@pytest.mark.parametrize(("speed", "expected"), [(0.09, 0.0), (0.11, 0.0011)])
def test_motion_below_a_tenth_of_a_pixel_is_none(speed: float, expected: float) -> None:
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[INSIDE, 0] = speed
    inside, outside = residual_motion(flow, INSIDE, ~INSIDE)
    assert inside == pytest.approx(expected, rel=1e-5)
    assert outside == 0.0


def test_held_frames_have_no_motion() -> None:
    rows = RegionMotion().extract(batch_of(still(height=HEIGHT, width=WIDTH), INSIDE))
    assert rows["inside"].tolist() == rows["outside"].tolist() == [0.0]
    assert rows["inside_share"].tolist() == [INSIDE.mean()]
    assert rows["outside_share"][0] < 1 - INSIDE.mean()


def test_a_batch_without_a_mask_is_refused() -> None:
    with pytest.raises(MetricError, match="got a batch without region mask"):
        RegionMotion().extract(batch_of(still(), None))


def test_tiny_frames_and_masks_without_outside_have_no_motion_to_tell() -> None:
    for clip, mask in ((noise(height=24, width=240), INSIDE), (noise(), ~np.zeros((3, 4), np.bool_))):
        rows = RegionMotion().extract(batch_of(clip, mask))
        assert np.isnan(rows["inside"]).all()
        assert np.isnan(rows["outside"]).all()


def test_large_frames_are_measured_small() -> None:
    clip = translating(shift=(4, 0), num_frames=2, height=512, width=640, smoothness=6.0)
    frames = clip.frames.copy()
    frames[:, :, 320:] = frames[0, :, 320:]
    mask = np.arange(640)[None, :].repeat(512, axis=0) < 320
    rows = RegionMotion().extract(batch_of(FrameArray(frames=frames, fps=24.0), mask))
    assert rows["inside"][0] == pytest.approx(4 / np.hypot(512, 640), rel=0.1)
    assert rows["outside"][0] < 0.05 * rows["inside"][0]
