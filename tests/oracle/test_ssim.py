import math

import numpy as np
import pytest
from fidelity_cases import FIDELITY_CASES, common_frames
from metric_clips import noise, texture
from metric_tester import Case, MetricTester
from skimage.metrics import structural_similarity as skimage_similarity

from anisora.harness.types import Frames
from anisora.metrics.core.ssim import Ssim, structural_similarity


def similarity(first: Frames, second: Frames) -> float:
    """Wang et al. 2004, eq. 13, with weighted means over each 11x11 window, written out."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for channel in range(3):
        x_windows = np.lib.stride_tricks.sliding_window_view(first[..., channel].astype(float), (11, 11))
        y_windows = np.lib.stride_tricks.sliding_window_view(second[..., channel].astype(float), (11, 11))
        for x, y in zip(x_windows.reshape(-1, 11, 11), y_windows.reshape(-1, 11, 11), strict=True):
            mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
            variance_x, variance_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
            covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
            luminance = (2 * mean_x * mean_y + 2.55**2) / (mean_x**2 + mean_y**2 + 2.55**2)
            structure = (2 * covariance + 7.65**2) / (variance_x + variance_y + 7.65**2)
            values.append(luminance * structure)
    return float(np.mean(values))


def ssim(case: Case) -> float | None:
    pair = common_frames(case)
    if pair is None:
        return None
    return float(np.mean([_by_scikit_image(*frames) for frames in zip(*pair, strict=True)]))


def _by_scikit_image(first: Frames, second: Frames) -> float:
    return float(
        skimage_similarity(
            first,
            second,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=-1,
            data_range=255,
        )
    )


def test_ssim_equals_that_of_scikit_image() -> None:
    MetricTester().check(Ssim(), ssim, FIDELITY_CASES)


@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 25), (43, 16)])
def test_ssim_equals_the_equation_window_by_window(height: int, width: int) -> None:
    first, second = texture(height, width), texture(height, width, seed=1)
    assert structural_similarity(first, second) == pytest.approx(similarity(first, second), abs=1e-12)


@pytest.mark.parametrize("height", [41, 42, 43, 74, 75, 106])
def test_cutting_a_frame_into_strips_changes_nothing(height: int) -> None:
    first, second = texture(height, 40), texture(height, 40, seed=1)
    assert structural_similarity(first, second) == pytest.approx(_by_scikit_image(first, second), abs=1e-12)


def test_bright_flat_frames_keep_their_precision() -> None:
    first = np.full((64, 64, 3), 254, np.uint8)
    second = first.copy()
    second[::7, ::5] = 255
    assert structural_similarity(first, second) == pytest.approx(_by_scikit_image(first, second), abs=1e-9)


def test_equal_frames_score_exactly_one_by_the_formula_too() -> None:
    for frame in (*noise(height=40, width=33).frames, texture(51, 20)):
        assert structural_similarity(frame, frame.copy()) == 1.0


def test_frames_smaller_than_the_window_are_left_unscored() -> None:
    clip = noise(height=10, width=40)
    case = Case(name="tiny", clip=clip, ground_truth=noise(height=10, width=40, seed=1))
    found = MetricTester().score(Ssim(), case)
    assert found.value is None
    assert "40x10" in found.note
    assert math.isnan(structural_similarity(clip.frames[0], clip.frames[1]))
