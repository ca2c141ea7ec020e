import numpy as np
import pytest
from metric_clips import noise, still, translating
from metric_tester import Case, MetricTester

from anisora.harness.degrade import degrade
from anisora.harness.types import FrameArray
from anisora.metrics.core.colourfulness import Colourfulness, colourfulness


def colourfulness_in_floats(case: Case) -> float:
    values = []
    for frame in case.clip.frames.astype(np.float64):
        rg = frame[..., 0] - frame[..., 1]
        yb = 0.5 * (frame[..., 0] + frame[..., 1]) - frame[..., 2]
        values.append(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
    return float(np.mean(values))


@pytest.mark.parametrize(
    "clip",
    [still(), noise(), translating(shift=(1, 0), height=21, width=17), noise(num_frames=1, height=1, width=1)],
    ids=["still", "noise", "moving", "one pixel"],
)
def test_colourfulness_equals_the_formula(clip: FrameArray) -> None:
    tester, case = MetricTester(), Case(name="case", clip=clip)
    found = tester.score(Colourfulness(), case)
    assert found.value == pytest.approx(colourfulness_in_floats(case), rel=1e-12)
    assert len(found.parts["frames"]) == len(clip.frames)
    assert found == tester.score(Colourfulness(), case, batch_size=8, backwards=True)
    tester.check_info(Colourfulness())


@pytest.mark.parametrize("level", [0, 90, 255])
def test_grey_has_no_colour(level: int) -> None:
    assert colourfulness(np.full((20, 30, 3), level, np.uint8)) == 0.0


def test_one_pure_colour_has_the_mean_term_alone() -> None:
    red = np.zeros((5, 7, 3), np.uint8)
    red[..., 0] = 255
    assert colourfulness(red) == pytest.approx(0.3 * np.hypot(255.0, 127.5), rel=1e-15)


def test_the_sums_of_a_large_frame_are_exact() -> None:
    frame = np.zeros((1080, 2000, 3), np.uint8)
    frame[:, ::2, 0] = 255
    frame[:, 1::2, 2] = 255
    # rg is 255 and 0, yb is 127.5 and -255, each in half of the pixels
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, -63.75)
    assert colourfulness(frame) == pytest.approx(expected, rel=1e-15)


def test_colours_that_fade_lower_it_step_by_step() -> None:
    frames = still(num_frames=1).frames
    grey = frames.mean(axis=3, keepdims=True)
    found = [
        colourfulness(np.rint(grey + (frames - grey) * strength)[0].astype(np.uint8))
        for strength in (1.0, 0.7, 0.4, 0.1, 0.0)
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0.0


def test_the_order_of_frames_does_not_matter() -> None:
    clip = translating(shift=(2, 1), num_frames=6)
    shuffled = FrameArray(frames=degrade("shuffle", clip.frames, severity=1.0), fps=24.0)
    values = [MetricTester().score(Colourfulness(), Case(name="x", clip=found)).value for found in (clip, shuffled)]
    assert values[0] == pytest.approx(values[1], rel=1e-14)
