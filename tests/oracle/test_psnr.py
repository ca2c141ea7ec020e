import math

import numpy as np
import pytest
from fidelity_cases import FIDELITY_CASES, common_frames
from metric_clips import still
from metric_tester import Case, MetricTester
from skimage.metrics import peak_signal_noise_ratio

from anisora.harness.types import FrameArray
from anisora.metrics.core.psnr import Psnr, peak_signal_to_noise


def psnr(case: Case) -> float | None:
    """Integer squared errors, one logarithm a frame, 100 dB at most."""
    pair = common_frames(case)
    if pair is None:
        return None
    decibels = []
    for frame, reference in zip(*pair, strict=True):
        total = sum((int(a) - int(b)) ** 2 for a, b in zip(frame.flat, reference.flat, strict=True))
        decibels.append(100.0 if total == 0 else min(100.0, 10 * math.log10(255**2 * frame.size / total)))
    return float(np.mean(decibels))


def test_psnr_equals_the_formula() -> None:
    MetricTester().check(Psnr(), psnr, FIDELITY_CASES)


def test_psnr_of_one_frame_equals_that_of_scikit_image() -> None:
    case = FIDELITY_CASES[0]
    assert case.ground_truth is not None
    expected = [
        peak_signal_noise_ratio(truth, frame)
        for truth, frame in zip(case.ground_truth.frames, case.clip.frames, strict=True)
    ]
    np.testing.assert_allclose(MetricTester().score(Psnr(), case).parts["frames"], expected, rtol=1e-12)


def test_equal_frames_score_the_cap_and_opposite_ones_zero() -> None:
    clip = still()
    assert MetricTester().score(Psnr(), Case(name="same", clip=clip, ground_truth=clip)).value == 100.0
    black = FrameArray(frames=np.zeros((2, 16, 16, 3), np.uint8), fps=24.0)
    white = FrameArray(frames=np.full((2, 16, 16, 3), 255, np.uint8), fps=24.0)
    opposite = Case(name="opposite", clip=black, ground_truth=white)
    assert MetricTester().score(Psnr(), opposite).value == pytest.approx(0.0, abs=1e-12)


def test_one_wrong_level_in_a_large_frame_does_not_exceed_the_cap() -> None:
    assert peak_signal_to_noise(np.array([1.0 / 6_480_000, 0.0])).tolist() == [100.0, 100.0]
