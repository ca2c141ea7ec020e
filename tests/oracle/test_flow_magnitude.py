import itertools

import numpy as np
import pytest
from flow_oracle import flow_of
from metric_clips import noise, still, translating
from metric_tester import Case, MetricTester

from anisora.metrics.core.flow_magnitude import FlowMagnitude

CASES = (
    Case(name="still", clip=still()),
    Case(name="moving", clip=translating(shift=(3, 1), num_frames=10)),
    Case(name="noise", clip=noise()),
    Case(name="portrait", clip=translating(shift=(0, 2), height=80, width=40, fps=8.0)),
    Case(name="smallest", clip=noise(height=32, width=32)),
    Case(name="one frame", clip=still(num_frames=1)),
    Case(name="too small", clip=noise(height=31, width=200)),
)


def flow_magnitude(case: Case) -> float | None:
    frames = case.clip.frames
    if len(frames) < 2 or min(frames.shape[1:3]) < 32:
        return None
    height, width = frames.shape[1:3]
    lengths = []
    for first, second in itertools.pairwise(frames):
        flow = flow_of(first, second).astype(np.float64)
        lengths.append(np.sqrt(flow[..., 0] ** 2 + flow[..., 1] ** 2).mean())
    return float(np.mean(lengths) / np.sqrt(height**2 + width**2) * case.clip.fps)


def test_flow_magnitude_equals_the_formula_over_the_same_flow() -> None:
    MetricTester().check(FlowMagnitude(), flow_magnitude, CASES)


@pytest.mark.parametrize("shift", [(2, 0), (0, -3), (4, 3)])
@pytest.mark.parametrize(("height", "width"), [(128, 192), (384, 512)])
def test_a_texture_that_slides_moves_by_its_known_speed(shift: tuple[int, int], height: int, width: int) -> None:
    clip = translating(shift=shift, num_frames=3, height=height, width=width, fps=12.0, smoothness=4.0)
    found = MetricTester().score(FlowMagnitude(), Case(name="sliding", clip=clip)).value
    assert found == pytest.approx(np.hypot(*shift) / np.hypot(height, width) * 12.0, rel=0.05)


def test_a_still_clip_has_no_motion_at_all() -> None:
    assert MetricTester().score(FlowMagnitude(), Case(name="still", clip=still())).value == 0.0


def test_speed_is_per_second_so_animating_on_twos_leaves_it_where_it_was() -> None:
    on_ones = translating(shift=(2, 0), num_frames=7, height=96, width=128, smoothness=3.0)
    on_twos = type(on_ones)(frames=on_ones.frames[::2].repeat(2, axis=0), fps=on_ones.fps)
    ones, twos = (MetricTester().score(FlowMagnitude(), Case(name="clip", clip=clip)) for clip in (on_ones, on_twos))
    assert twos.parts["pairs"][::2] == [0.0] * 4
    assert np.sum(twos.parts["pairs"]) == pytest.approx(np.sum(ones.parts["pairs"]), rel=0.05)


def test_the_oracle_measures_what_it_says() -> None:
    clip = translating(shift=(2, 0), num_frames=2, height=64, width=64, smoothness=3.0)
    inner = flow_of(*clip.frames)[16:-16, 16:-16]
    np.testing.assert_allclose(inner[..., 0], 2.0, atol=0.2)
