import itertools
import math

import numpy as np
import pytest
from flow_oracle import flow_of
from metric_clips import noise, still, texture, translating
from metric_tester import Case, MetricTester
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import map_coordinates

from anisora.harness.degrade import degrade
from anisora.harness.render import Scene, render
from anisora.harness.types import FrameArray, Frames
from anisora.metrics.core.line_stability import LineStability, concordance, line_strength, pair_line_stability
from anisora.metrics.core.warping_error import Correspondence

FLAT = FrameArray(frames=np.full((3, 40, 40, 3), 90, np.uint8), fps=24.0)

CASES = (
    Case(name="still", clip=still()),
    Case(name="moving", clip=translating(shift=(3, 1), num_frames=4, smoothness=1.0)),
    Case(name="noise", clip=noise(height=33, width=47)),
    Case(
        name="lines come and go",
        clip=FrameArray(frames=np.concatenate([FLAT.frames, still(height=40, width=40).frames]), fps=24.0),
    ),
    Case(name="one frame", clip=still(num_frames=1)),
    Case(name="too small", clip=noise(height=20, width=40)),
    Case(name="no line", clip=FLAT),
)


def luma(frame: np.ndarray) -> np.ndarray:
    """BT.601 in fixed point of 15 bits, rounded."""
    return (np.einsum("hwc,c->hw", frame.astype(np.int64), np.array([9798, 19235, 3735])) + 16384) >> 15


def dark_lines(plane: np.ndarray) -> np.ndarray:
    """The least of the greatest values around each pixel, less the pixel; what is outside the frame never counts."""
    greatest = sliding_window_view(np.pad(plane, 2, constant_values=-1), (5, 5)).max(axis=(2, 3))
    closed = sliding_window_view(np.pad(greatest, 2, constant_values=999), (5, 5)).min(axis=(2, 3))
    return (closed - plane).astype(np.float64)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Lin's concordance from numpy's covariance matrix."""
    if len(first) == 0:
        return math.nan
    moments = np.cov(first, second, bias=True)
    spread = moments[0, 0] + moments[1, 1] + (first.mean() - second.mean()) ** 2
    return max(0.0, 2 * moments[0, 1] / spread) if spread else math.nan


def pair_stability(first: np.ndarray, second: np.ndarray) -> float:
    forward, backward = (flow_of(*pair).astype(np.float64) for pair in ((first, second), (second, first)))
    lines, others = dark_lines(luma(first)), dark_lines(luma(second))
    rows, columns = np.indices(lines.shape)
    x, y = columns + forward[..., 0], rows + forward[..., 1]
    inside = (x >= 0) & (y >= 0) & (x <= lines.shape[1] - 1) & (y <= lines.shape[0] - 1)
    moved, *back = (
        map_coordinates(plane, [y, x], order=1, mode="nearest")
        for plane in (others, backward[..., 0], backward[..., 1])
    )
    returned = np.stack(back, axis=-1)
    miss, way = np.linalg.norm(forward + returned, axis=-1), np.linalg.norm([forward, returned], axis=(0, 3))
    followed = inside & (miss**2 <= 0.01 * way**2 + 0.5)
    return agreement(lines[followed], moved[followed])


def line_stability(case: Case) -> float | None:
    frames = case.clip.frames
    if len(frames) < 2 or min(frames.shape[1:3]) < 32:
        return None
    pairs = [pair_stability(*pair) for pair in itertools.pairwise(frames)]
    usable = [pair for pair in pairs if not math.isnan(pair)]
    return float(np.mean(usable)) if usable else None


def stability(frames: Frames) -> float:
    value = MetricTester().score(LineStability(), Case(name="x", clip=FrameArray(frames=frames, fps=24.0))).value
    assert value is not None
    return value


def test_line_stability_equals_the_formula() -> None:
    MetricTester().check(LineStability(), line_stability, CASES)


def test_pairs_without_lines_are_left_out_and_counted() -> None:
    found = MetricTester().score(LineStability(), CASES[3])
    assert np.isnan(found.parts["pairs"]).tolist() == [True, True, False, False, False, False]
    assert found.note == "4 of 6 pairs have lines to follow"


def test_a_still_clip_keeps_its_lines_exactly() -> None:
    assert stability(still().frames) == 1.0


def drawn(top: int, left: int) -> np.ndarray:
    """A dark stroke on light paper."""
    plane = np.full((40, 48), 180, np.uint8)
    plane[top : top + 2, left : left + 25] = 30
    return plane


NOWHERE = np.zeros((40, 48, 2), np.float32)


def test_lines_that_vanish_are_not_stable_at_all() -> None:
    bare = np.full((40, 48), 180, np.uint8)
    assert pair_line_stability(drawn(12, 5), bare, Correspondence(NOWHERE, NOWHERE)) == 0.0
    assert pair_line_stability(bare, drawn(12, 5), Correspondence(NOWHERE, NOWHERE)) == 0.0
    assert math.isnan(pair_line_stability(bare, bare, Correspondence(NOWHERE, NOWHERE)))


def test_a_line_that_moves_as_the_flow_says_is_the_same_line() -> None:
    first, second = drawn(12, 5), drawn(15, 7)
    flow = NOWHERE + np.array((2, 3), np.float32)
    assert pair_line_stability(first, second, Correspondence(flow, -flow)) == 1.0
    assert pair_line_stability(first, second, Correspondence(NOWHERE, NOWHERE)) == 0.0


def test_where_going_there_and_back_does_not_return_nothing_is_compared() -> None:
    flow = NOWHERE + np.array((2, 3), np.float32)
    assert math.isnan(pair_line_stability(drawn(12, 5), drawn(15, 7), Correspondence(flow, flow)))
    partly = -flow
    partly[:20] = 5  # hides the stroke of the second plane, not the paper
    assert math.isnan(pair_line_stability(drawn(12, 5), drawn(15, 7), Correspondence(flow, partly)))


def test_lines_that_grow_fainter_agree_less() -> None:
    values = np.random.default_rng(0).uniform(0, 200, 500)
    found = [concordance(values, strength * values) for strength in (1.0, 0.8, 0.5, 0.2, 0.0)]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0.0


def test_unrelated_lines_do_not_agree_by_chance() -> None:
    rng = np.random.default_rng(0)
    assert abs(concordance(rng.uniform(0, 90, 20_000), rng.uniform(0, 90, 20_000))) < 0.03


@pytest.mark.parametrize(("width", "is_line"), [(1, True), (4, True), (5, False), (9, False)])
def test_what_is_dark_and_narrower_than_five_pixels_is_a_line(width: int, is_line: bool) -> None:
    plane = np.full((30, 40), 200, np.uint8)
    plane[:, 10 : 10 + width] = 50
    strength = line_strength(plane)
    assert strength[:, 10 : 10 + width].tolist() == [[150 * is_line] * width] * 30
    assert not strength[:, :10].any()
    assert not line_strength(255 - plane).any(), "what is light is no line"


def test_lines_that_boil_are_less_stable_than_lines_that_are_held() -> None:
    rng = np.random.default_rng(0)
    frames = np.full((6, 64, 96, 3), 220, np.uint8)
    for frame in frames:
        for row in range(8, 64, 12):
            for column in range(96):
                wobble = row + int(rng.integers(-1, 2))
                frame[wobble : wobble + 2, column] = 30
    assert stability(frames) < 0.8
    assert stability(np.stack([frames[0]] * 6)) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("hold", [1, 2])
@pytest.mark.parametrize("action", ["walk", "talk", "cast", "wave"])
def test_stability_falls_with_flicker_noise_and_shuffling(action: str, hold: int) -> None:
    frames = render(Scene(action=action, seed=4, num_frames=8, hold=hold))
    own = stability(frames)
    assert own > 0.6
    for name in ("flicker", "noise"):
        grid = [own, *(stability(degrade(name, frames, severity=severity)) for severity in (0.3, 1.0))]
        assert grid == sorted(grid, reverse=True), f"{name}: {grid}"
        assert own - grid[-1] > 0.09, f"{name}: {grid}"
    assert stability(degrade("shuffle", frames, severity=1.0)) < own


@pytest.mark.slow
@pytest.mark.parametrize("action", ["walk", "talk", "cast", "wave"])
def test_a_shaken_camera_costs_a_clip_on_twos_little(action: str) -> None:
    frames = render(Scene(action=action, seed=4, num_frames=8))
    own, shaken = stability(frames), stability(degrade("jitter", frames, severity=1.0))
    assert own - 0.15 < shaken < own


def test_the_texture_of_the_tests_has_lines() -> None:
    assert line_strength(texture(40, 40)[..., 0]).mean() > 0.5
