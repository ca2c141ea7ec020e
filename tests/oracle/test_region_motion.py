"""region_motion_ratio and region_leakage, which read one extractor."""

import itertools
import math

import numpy as np
import pytest
from flow_oracle import flow_of
from metric_clips import noise, still, texture, translating
from metric_tester import Case, MetricTester

from anisora.harness.degrade import degrade
from anisora.harness.render import Scene, render
from anisora.harness.types import FrameArray, Frames
from anisora.metrics.core.region_leakage import RegionLeakage
from anisora.metrics.core.region_motion_ratio import RegionMotionRatio


def box(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), np.bool_)
    mask[rows, columns] = True
    return mask


def scene(
    *, patch: tuple[int, int], camera: tuple[int, int] = (0, 0), num_frames: int = 4, height: int = 96, width: int = 128
) -> FrameArray:
    """A textured square that moves by ``patch`` pixels a frame over a texture that moves by ``camera``."""
    backdrop = translating(
        shift=camera, num_frames=num_frames, height=height, width=width, seed=1, smoothness=3.0
    ).frames.copy()
    figure = texture(32, 32, seed=2, smoothness=3.0)
    for index, frame in enumerate(backdrop):
        top, left = 28 + index * patch[1], 40 + index * patch[0]
        frame[top : top + 32, left : left + 32] = figure
    return FrameArray(frames=backdrop, fps=12.0)


MASK = box(96, 128, slice(16, 76), slice(28, 92))
"""Around the square of `scene` in all its frames, with room for the flow's smoothness."""

CASES = (
    Case(name="inside only", clip=scene(patch=(3, 1)), region_mask=MASK),
    Case(name="outside only", clip=scene(patch=(3, 1)), region_mask=~MASK),
    Case(name="with the camera", clip=scene(patch=(2, 2), camera=(3, -2)), region_mask=MASK),
    Case(name="mask of another size", clip=scene(patch=(-2, 1)), region_mask=MASK[::2, ::2]),
    Case(name="mask of another shape", clip=scene(patch=(-2, 1)), region_mask=box(50, 50, slice(20, 40), slice(9, 31))),
    Case(name="noise", clip=noise(num_frames=3, height=40, width=32), region_mask=box(20, 16, slice(5, 15), slice(8))),
    Case(name="still", clip=still(), region_mask=box(48, 64, slice(10, 20), slice(10, 20))),
    Case(name="black mask", clip=scene(patch=(3, 1)), region_mask=np.zeros((96, 128), np.bool_)),
    Case(name="white mask", clip=scene(patch=(3, 1)), region_mask=np.ones((96, 128), np.bool_)),
    Case(name="no mask", clip=scene(patch=(3, 1))),
    Case(name="one frame", clip=still(num_frames=1), region_mask=MASK),
    Case(name="too small", clip=noise(height=20, width=40), region_mask=MASK),
)


def placed(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixel by pixel: where the centre of a frame's pixel falls on the mask."""
    scale = max(height / mask.shape[0], width / mask.shape[1])
    out = np.zeros((height, width), np.bool_)
    for row, column in np.ndindex(height, width):
        y = (row + 0.5 - height / 2) / scale + mask.shape[0] / 2
        x = (column + 0.5 - width / 2) / scale + mask.shape[1] / 2
        out[row, column] = mask[int(y), int(x)]
    return out


def clear_of(inside: np.ndarray) -> np.ndarray:
    """Pixels with no pixel of the region within a thirty-second of the short side, rows and columns apart."""
    belt = round(min(inside.shape) / 32)
    near = np.zeros_like(inside)
    for row, column in np.argwhere(inside):
        near[max(0, row - belt) : row + belt + 1, max(0, column - belt) : column + belt + 1] = True
    return ~near


def camera_of(flow: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """None, a translation, or a trimmed affine fit in pixel coordinates: the first that does for half."""

    def serves(left: np.ndarray) -> bool:
        return bool(np.median((left**2).sum(axis=-1)) < 0.01)

    if serves(flow.reshape(-1, 2)) or serves(flow[outside]):
        return np.zeros(2)
    rows, columns = (places[:: max(1, len(places) // 4096)] for places in np.nonzero(outside))
    seen = flow[rows, columns]
    middle = np.median(seen, axis=0)
    if serves(seen - middle):
        return middle
    points = np.column_stack([columns, rows, np.ones(len(rows))])
    least, left = math.inf, np.zeros(len(rows))
    for triple in np.random.default_rng(0).integers(0, len(rows), (64, 3)):
        start = np.linalg.lstsq(points[triple], seen[triple], rcond=None)[0]
        squares = ((seen - points @ start) ** 2).sum(axis=1)
        if np.median(squares) < least:
            least, left = float(np.median(squares)), squares
    fit = np.zeros((3, 2))
    for _ in range(6):
        best = left <= np.median(left)
        fit = np.linalg.pinv(points[best]) @ seen[best]
        left = ((seen - points @ fit) ** 2).sum(axis=1)
    y, x = np.indices(outside.shape)
    return np.stack([x, y, np.ones_like(x)], axis=-1) @ fit


def speeds(case: Case) -> tuple[float, float] | None:
    """Mean speed inside and outside, diagonals per second."""
    frames, mask = case.clip.frames, case.region_mask
    if mask is None or len(frames) < 2 or min(frames.shape[1:3]) < 32:
        return None
    height, width = frames.shape[1:3]
    inside = placed(mask, height, width)
    outside = clear_of(inside)
    if not inside.any() or outside.mean() < 0.05:
        return None
    totals = np.zeros(2)
    for first, second in itertools.pairwise(frames):
        flow = flow_of(first, second).astype(np.float64)
        own = np.linalg.norm(flow - camera_of(flow, outside), axis=-1)
        own = np.where(own < 0.1, 0, own)
        totals += own[inside].mean(), own[outside].mean()
    found = totals / (len(frames) - 1) / np.hypot(height, width) * case.clip.fps
    return float(found[0]), float(found[1])


def region_leakage(case: Case) -> float | None:
    found = speeds(case)
    return None if found is None else found[1]


def region_motion_ratio(case: Case) -> float | None:
    found = speeds(case)
    if found is None:
        return None
    return found[0] / sum(found) if sum(found) else 0.0


def scores(frames: Frames, mask: np.ndarray) -> tuple[float, float]:
    case = Case(name="x", clip=FrameArray(frames=frames, fps=12.0), region_mask=mask)
    found = [MetricTester().score(metric, case).value for metric in (RegionMotionRatio(), RegionLeakage())]
    assert None not in found
    return found[0], found[1]  # type: ignore[return-value]


def test_region_motion_ratio_equals_the_formula() -> None:
    MetricTester().check(RegionMotionRatio(), region_motion_ratio, CASES, tolerance=1e-7)


def test_region_leakage_equals_the_formula() -> None:
    MetricTester().check(RegionLeakage(), region_leakage, CASES, tolerance=1e-7)


@pytest.mark.parametrize("camera", [(0, 0), (3, 0), (2, -3)])
def test_what_moves_in_the_region_alone_scores_close_to_one(camera: tuple[int, int]) -> None:
    clip = scene(patch=(3, 1), camera=camera)
    ratio, leakage = scores(clip.frames, MASK)
    assert ratio > 0.95
    assert leakage < 0.02
    swapped, leaked = scores(scene(patch=(3, 1)).frames, ~MASK)
    assert swapped < 0.05
    assert leaked > 10 * leakage


def test_a_still_clip_moves_nowhere() -> None:
    frames = still(num_frames=3, height=96, width=128).frames
    found = MetricTester().score(
        RegionMotionRatio(), Case(name="x", clip=FrameArray(frames=frames, fps=12.0), region_mask=MASK)
    )
    assert found.value == 0.0
    assert found.note == "nothing moves, inside the region or outside"
    assert scores(frames, MASK) == (0.0, 0.0)


def test_leakage_is_speed_per_second() -> None:
    clip = scene(patch=(3, 1))
    slow, fast = (FrameArray(frames=clip.frames, fps=fps) for fps in (12.0, 24.0))
    values = [
        MetricTester().score(RegionLeakage(), Case(name="x", clip=found, region_mask=~MASK)).value
        for found in (slow, fast)
    ]
    assert values[0]
    assert values[1] == pytest.approx(2 * values[0])


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros((9, 9), np.bool_), "marks no pixel"),
        (np.ones((9, 9), np.bool_), "0.0% of the frame is clear of the region mask"),
    ],
)
def test_a_mask_without_inside_or_outside_is_told(mask: np.ndarray, reason: str) -> None:
    case = Case(name="x", clip=scene(patch=(3, 1)), region_mask=mask)
    for metric in (RegionMotionRatio(), RegionLeakage()):
        found = MetricTester().score(metric, case)
        assert found.value is None
        assert reason in found.note


@pytest.mark.slow
@pytest.mark.parametrize("action", ["wave", "dance", "turn"])
def test_damages_that_move_the_backdrop_leak(action: str) -> None:
    frames = render(Scene(action=action, seed=4, num_frames=8))
    mask = np.abs(frames.astype(int) - frames[0]).max(axis=(0, 3)) > 8
    ratio, leakage = scores(frames, mask)
    assert ratio > 0.9
    assert leakage < 0.01
    for name in ("noise", "jitter"):
        grid = [(ratio, leakage), *(scores(degrade(name, frames, severity=severity), mask) for severity in (0.3, 1.0))]
        assert [found[0] for found in grid] == sorted((found[0] for found in grid), reverse=True), f"{name}: {grid}"
        assert [found[1] for found in grid] == sorted(found[1] for found in grid), f"{name}: {grid}"
    assert scores(degrade("freeze", frames, severity=1.0), mask) == (0.0, 0.0)
