import numpy as np
import pytest
from metric_clips import noise, still, texture, translating
from metric_tester import Case, MetricTester

from anisora.harness.types import FrameArray
from anisora.metrics.core.sharpness import Sharpness, laplacian_variance


def luma(frame: np.ndarray) -> np.ndarray:
    """BT.601 in fixed point of 15 bits, rounded."""
    weighted = frame.astype(np.int64) @ np.array([9798, 19235, 3735])
    return (weighted + (1 << 14)) >> 15


def sharpness(case: Case) -> float | None:
    values = []
    for frame in case.clip.frames:
        plane = np.pad(luma(frame).astype(np.float64), 1, mode="reflect")
        edges = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:] - 4 * plane[1:-1, 1:-1]
        values.append(edges.var())
    return float(np.mean(values))


@pytest.mark.parametrize(
    "clip",
    [still(), noise(), translating(shift=(1, 0), height=21, width=17), noise(height=2, width=2)],
    ids=["still", "noise", "moving", "tiny"],
)
def test_sharpness_equals_the_formula(clip: FrameArray) -> None:
    tester = MetricTester()
    case = Case(name="case", clip=clip)
    expected = sharpness(case)
    found = tester.score(Sharpness(), case)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert len(found.parts["frames"]) == len(clip.frames)
    assert found == tester.score(Sharpness(), case, batch_size=8, backwards=True)
    tester.check_info(Sharpness())


def test_a_flat_frame_has_no_sharpness() -> None:
    assert laplacian_variance(np.full((20, 30), 200, np.uint8)) == 0.0


def test_a_checkerboard_has_the_largest_laplacian_there_is() -> None:
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert laplacian_variance(board) == 1020.0**2


def test_the_sums_of_a_large_frame_are_exact() -> None:
    board = (np.indices((1080, 2002)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert laplacian_variance(board) == 1020.0**2


def test_blur_lowers_sharpness() -> None:
    sharp, soft = (FrameArray(frames=texture(48, 64, smoothness=s)[None], fps=24.0) for s in (1.0, 3.0))
    score = [MetricTester().score(Sharpness(), Case(name="x", clip=clip)).value for clip in (sharp, soft)]
    assert score[0] is not None
    assert score[1] is not None
    assert score[0] > 5 * score[1]
