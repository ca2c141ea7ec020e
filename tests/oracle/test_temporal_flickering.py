import numpy as np
import pytest
from metric_clips import fading, noise, still, translating
from metric_tester import Case, MetricTester

from anisora.harness.types import FrameArray
from anisora.metrics.core.temporal_flickering import TemporalFlickering

CASES = (
    Case(name="still", clip=still()),
    Case(name="moving", clip=translating(shift=(3, 1))),
    Case(name="noise", clip=noise(num_frames=10)),
    Case(name="fading", clip=fading()),
    Case(name="odd size", clip=noise(height=7, width=5)),
    Case(name="one frame", clip=still(num_frames=1)),
)


def vbench(case: Case) -> float | None:
    """mae_seq of VBench's temporal_flickering.py: float differences, one mean per pair, mean of means."""
    frames = case.clip.frames.astype(np.float64)
    if len(frames) < 2:
        return None
    pairs = [np.abs(frames[t] - frames[t + 1]).mean() for t in range(len(frames) - 1)]
    return float((255.0 - np.mean(pairs)) / 255.0)


def test_temporal_flickering_equals_the_formula_of_vbench() -> None:
    MetricTester().check(TemporalFlickering(), vbench, CASES)


def test_a_still_clip_has_no_flicker_and_black_to_white_has_nothing_else() -> None:
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    frames[1] = 255
    tester = MetricTester()
    assert tester.score(TemporalFlickering(), Case(name="still", clip=still())).value == 1.0
    switch = Case(name="switch", clip=FrameArray(frames=frames, fps=24.0))
    assert tester.score(TemporalFlickering(), switch).value == 0.0


def test_the_pairs_average_to_the_value() -> None:
    found = MetricTester().score(TemporalFlickering(), Case(name="noise", clip=noise(num_frames=6)))
    assert len(found.parts["pairs"]) == 5
    assert np.mean(found.parts["pairs"]) == pytest.approx(found.value, abs=1e-12)
