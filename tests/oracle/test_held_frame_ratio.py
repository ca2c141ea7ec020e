import itertools

import numpy as np
import pytest
from metric_clips import fading, noise, still, texture, translating
from metric_tester import Case, MetricTester

from anisora.harness.types import FrameArray
from anisora.metrics.core.held_frame_ratio import CELLS, HELD_BELOW, HeldFrameRatio, largest_cell_difference

TWOS = translating(shift=(3, 1), num_frames=9, height=72, width=100).frames[::2].repeat(2, axis=0)

CASES = (
    Case(name="still", clip=still()),
    Case(name="moving", clip=translating(shift=(2, 1), num_frames=4)),
    Case(name="on twos", clip=FrameArray(frames=TWOS, fps=24.0)),
    Case(name="noise", clip=noise(height=90, width=31)),
    Case(name="smaller than the cells", clip=noise(height=7, width=50)),
    Case(name="slow fade", clip=fading(num_frames=40, height=24, width=24)),
    Case(name="fast fade", clip=fading(num_frames=8)),
    Case(name="one frame", clip=still(num_frames=1)),
)


def luma(frame: np.ndarray) -> np.ndarray:
    """BT.601 in fixed point of 15 bits, rounded."""
    red, green, blue = np.moveaxis(frame.astype(np.int64), 2, 0)
    return (9798 * red + 19235 * green + 3735 * blue + 16384) // 32768


def cells(side: int, short: int) -> list[range]:
    """The pixels of each cell along one side."""
    count = min(side, round(24 * side / short))
    return [range(side * i // count, side * (i + 1) // count) for i in range(count)]


def largest_change(first: np.ndarray, second: np.ndarray) -> float:
    """Each cell by itself."""
    height, width = first.shape[:2]
    difference = abs(luma(first) - luma(second))
    short = min(height, width)
    return max(
        float(difference[rows.start : rows.stop, columns.start : columns.stop].mean())
        for rows in cells(height, short)
        for columns in cells(width, short)
    )


def held_frame_ratio(case: Case) -> float | None:
    frames = case.clip.frames
    if len(frames) < 2:
        return None
    changes = [largest_change(*pair) for pair in itertools.pairwise(frames)]
    return sum(change < 12 for change in changes) / len(changes)


def test_held_frame_ratio_equals_the_formula_cell_by_cell() -> None:
    MetricTester().check(HeldFrameRatio(), held_frame_ratio, CASES)


@pytest.mark.parametrize("case", CASES[:-1], ids=lambda case: case.name)
def test_the_parts_are_the_largest_changes(case: Case) -> None:
    expected = [largest_change(*pair) for pair in itertools.pairwise(case.clip.frames)]
    found = MetricTester().score(HeldFrameRatio(), case).parts["pairs"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_still_clip_is_held_throughout_and_a_moving_one_never() -> None:
    assert MetricTester().score(HeldFrameRatio(), CASES[0]).value == 1.0
    assert MetricTester().score(HeldFrameRatio(), CASES[1]).value == 0.0


@pytest.mark.parametrize(("hold", "expected"), [(2, 6 / 11), (3, 8 / 11), (4, 9 / 11)])
def test_the_share_of_held_pairs_follows_from_the_timing(hold: int, expected: float) -> None:
    drawings = np.stack([texture(36, 48, seed=seed) for seed in range(12 // hold)])
    clip = FrameArray(frames=drawings.repeat(hold, axis=0), fps=24.0)
    assert MetricTester().score(HeldFrameRatio(), Case(name="x", clip=clip)).value == pytest.approx(expected)


@pytest.mark.parametrize(("change", "is_held"), [(11, True), (12, False)])
def test_one_cell_that_changes_by_the_threshold_is_a_new_drawing(change: int, is_held: bool) -> None:
    frames = np.full((2, 48, 96, 3), 100, np.uint8)
    frames[1, 20:22, 40:42] += change  # one cell of 24 by 48
    found = MetricTester().score(HeldFrameRatio(), Case(name="x", clip=FrameArray(frames=frames, fps=24.0)))
    assert found.parts["pairs"] == [change]
    assert found.value == float(is_held)


def test_the_largest_difference_there_is_is_exact() -> None:
    black, white = np.zeros((2, 1080, 1921), np.uint8)
    white = white + np.uint8(255)
    assert largest_cell_difference(black, white) == 255.0
    assert (CELLS, HELD_BELOW) == (24, 12.0)


def test_grain_of_a_large_frame_is_averaged_away() -> None:
    rng = np.random.default_rng(0)
    frames = np.clip(128 + rng.normal(0, 12, (3, 576, 768, 1)), 0, 255).astype(np.uint8).repeat(3, axis=3)
    assert MetricTester().score(HeldFrameRatio(), Case(name="x", clip=FrameArray(frames=frames, fps=24.0))).value == 1.0
