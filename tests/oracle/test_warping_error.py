import itertools
import math

import numpy as np
import pytest
from flow_oracle import flow_of
from metric_clips import noise, still, texture, translating
from metric_tester import Case, MetricTester

from anisora.harness.errors import MetricError
from anisora.harness.types import FrameArray, Frames
from anisora.metrics.core.warping_error import (
    Correspondence,
    WarpingError,
    mean_error,
    pair_warping_error,
    visible_pixels,
)

CASES = (
    Case(name="still", clip=still(num_frames=2, height=32, width=32)),
    Case(name="moving", clip=translating(shift=(3, 1), num_frames=3, height=34, width=40)),
    Case(name="turbulent", clip=translating(shift=(1, 5), num_frames=2, height=40, width=33, seed=5)),
    Case(name="one frame", clip=still(num_frames=1)),
    Case(name="too small", clip=noise(height=20, width=40)),
)


def fetch(values: np.ndarray, x: float, y: float) -> np.ndarray | None:
    """Bilinear interpolation at one point, or None outside the frame."""
    height, width = values.shape[:2]
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return None
    total = np.zeros(values.shape[2])
    for row in {math.floor(y), math.ceil(y)}:
        for column in {math.floor(x), math.ceil(x)}:
            total = total + values[row, column] * (1 - abs(x - column)) * (1 - abs(y - row))
    return total


def pair_error(first: Frames, second: Frames, forward: np.ndarray, backward: np.ndarray) -> tuple[float, float]:
    """Lai et al. 2018 and Ruder et al. 2016, pixel by pixel."""
    height, width = first.shape[:2]
    w, back = forward.astype(np.float64), backward.astype(np.float64)
    next_frame = second.astype(np.float64) / 255
    errors = []
    for row in range(height):
        for column in range(width):
            x, y = column + w[row, column, 0], row + w[row, column, 1]
            returned, colour = fetch(back, x, y), fetch(next_frame, x, y)
            if returned is None or colour is None:
                continue
            here = w[row, column]
            if ((here + returned) ** 2).sum() > 0.01 * ((here**2).sum() + (returned**2).sum()) + 0.5:
                continue
            gradient = 0.0
            if column + 1 < width:
                gradient += ((w[row, column + 1] - here) ** 2).sum()
            if row + 1 < height:
                gradient += ((w[row + 1, column] - here) ** 2).sum()
            if gradient > 0.01 * (here**2).sum() + 0.002:
                continue
            errors.append(((colour - first[row, column] / 255) ** 2).sum() / 3)
    return (float(np.mean(errors)) if errors else math.nan), len(errors) / (height * width)


def warping_error(case: Case) -> float | None:
    frames = case.clip.frames
    if len(frames) < 2 or min(frames.shape[1:3]) < 32:
        return None
    errors = [
        pair_error(first, second, flow_of(first, second), flow_of(second, first))[0]
        for first, second in itertools.pairwise(frames)
    ]
    usable = [error for error in errors if not math.isnan(error)]
    return float(np.mean(usable)) if usable else None


def test_warping_error_equals_the_formula_pixel_by_pixel() -> None:
    MetricTester().check(WarpingError(), warping_error, CASES)


@pytest.mark.parametrize("seed", range(4))
def test_a_pair_equals_the_formula_for_any_flow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = texture(24, 20, seed=seed), texture(24, 20, seed=seed + 9)
    forward = np.full((24, 20, 2), rng.uniform(-4, 4, 2), np.float32)
    forward[8:16, 5:12] += rng.uniform(-2, 2, 2).astype(np.float32)
    backward = (-forward + rng.normal(0, 0.4, forward.shape)).astype(np.float32)
    found, expected = (
        pair_warping_error(first, second, Correspondence(forward, backward)),
        pair_error(first, second, forward, backward),
    )
    assert 0.1 < expected[1] < 0.95
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert found[1] == pytest.approx(expected[1], abs=1e-12)


def test_a_whole_shift_is_undone_exactly() -> None:
    clip = translating(shift=(3, -2), num_frames=2)
    forward = np.full((48, 64, 2), (3, -2), np.float32)
    error, visible = pair_warping_error(*clip.frames, Correspondence(forward, -forward))
    assert error == 0.0
    assert visible == pytest.approx((48 - 2) * (64 - 3) / (48 * 64))


def test_the_last_row_and_column_can_be_fetched() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    still = Correspondence(np.zeros((3, 4, 2)))
    np.testing.assert_array_equal(still.fetch(values), values)
    assert still.inside.all()


def test_the_flow_back_must_have_been_given() -> None:
    with pytest.raises(MetricError, match="got no `backward` flow"):
        _ = Correspondence(np.zeros((3, 4, 2))).returned


def test_a_flow_that_leaves_the_frame_sees_nothing() -> None:
    first, second = texture(16, 16), texture(16, 16, seed=1)
    away = np.full((16, 16, 2), 40, np.float32)
    error, visible = pair_warping_error(first, second, Correspondence(away, -away))
    assert math.isnan(error)
    assert visible == 0.0


def test_a_still_clip_has_no_warping_error() -> None:
    found = MetricTester().score(WarpingError(), Case(name="still", clip=still()))
    assert found.value == 0.0
    assert found.parts["visible"] == [1.0] * 3


def test_motion_costs_less_than_flicker_of_the_same_difference() -> None:
    moving = translating(shift=(2, 1), num_frames=6, height=96, width=128, smoothness=3.0)
    flickering = moving.frames[:1].repeat(6, axis=0).astype(np.int64)
    step = np.abs(np.diff(moving.frames.astype(np.int64), axis=0)).mean()
    flickering[1::2] = np.clip(flickering[1::2] + round(float(step)), 0, 255)
    flicker = FrameArray(frames=flickering.astype(np.uint8), fps=moving.fps)
    error = [MetricTester().score(WarpingError(), Case(name="clip", clip=clip)).value for clip in (moving, flicker)]
    assert error[0] is not None
    assert error[1] is not None
    assert error[0] * 5 < error[1]


def test_pairs_without_visible_pixels_are_left_out() -> None:
    assert mean_error(np.array([0.25, np.nan, 0.75])) == (0.5, 2)
    assert mean_error(np.array([np.nan, np.nan])) == (None, 0)


def test_at_a_cut_most_pixels_are_not_visible() -> None:
    frames = np.concatenate([still(num_frames=2).frames, noise(num_frames=1).frames])
    found = MetricTester().score(WarpingError(), Case(name="cut", clip=FrameArray(frames=frames, fps=24.0)))
    assert found.parts["visible"][0] == 1.0
    assert found.parts["visible"][1] < 0.5


@pytest.mark.parametrize(("step", "is_visible"), [(0.044, True), (0.045, False)])
def test_a_small_step_in_a_slow_flow_is_a_boundary_from_the_threshold_on(step: float, is_visible: bool) -> None:
    flow = np.zeros((2, 9, 9))
    flow[1, :, 5:] = step  # squared: just below and just above 0.002
    visible = visible_pixels(flow, -flow)
    assert visible[:, 4].all() == is_visible
    assert visible[:, :4].all()
    assert visible[:, 5:].all()


@pytest.mark.parametrize(("gap", "is_visible"), [(0.70, True), (0.715, False)])
def test_a_pixel_that_does_not_return_is_hidden_from_the_threshold_on(gap: float, is_visible: bool) -> None:
    flow = np.zeros((2, 6, 6))
    back = np.zeros((2, 6, 6))
    back[0] = gap  # squared, less a hundredth: just below and just above 0.5
    assert visible_pixels(flow, back).all() == is_visible
