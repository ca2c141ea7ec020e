import cv2
import numpy as np
import pytest
from metric_clips import fading, noise, still, texture, translating
from metric_tester import Case, MetricTester
from scipy.stats import wasserstein_distance

from anisora.harness.degrade import degrade
from anisora.harness.render import Scene, render
from anisora.harness.types import FrameArray, Frames
from anisora.metrics.core.palette_drift import PARTS, PaletteDrift, palette_distances, quantile_means
from anisora.metrics.extractors.colour_statistics import palette_of

CASES = (
    Case(name="still", clip=still()),
    Case(name="moving", clip=translating(shift=(3, 1), num_frames=4)),
    Case(name="noise", clip=noise(num_frames=3, height=9, width=11)),
    Case(name="fading", clip=fading()),
    Case(name="one pixel", clip=noise(num_frames=3, height=1, width=1)),
    Case(name="one frame", clip=still(num_frames=1)),
)


def lab(frame: Frames) -> np.ndarray:
    """(pixels, 3) in units of CIE Lab."""
    pixels = cv2.cvtColor(frame, cv2.COLOR_RGB2Lab).reshape(-1, 3).astype(np.float64)
    return pixels * (100 / 255, 1, 1) - (0, 128, 128)


def parts_of(frame: Frames) -> np.ndarray:
    """Every value 32 times, so that each of 32 equal parts is a whole number of them."""
    return np.sort(np.repeat(lab(frame), 32, axis=0), axis=0).reshape(32, -1, 3).mean(axis=1)


def palette_drift(case: Case) -> float | None:
    frames = case.clip.frames
    if len(frames) < 2:
        return None
    first, *others = (parts_of(frame) for frame in frames)
    return float(np.mean([np.linalg.norm(abs(other - first).mean(axis=0)) for other in others]))


def drift(frames: Frames) -> float:
    value = MetricTester().score(PaletteDrift(), Case(name="x", clip=FrameArray(frames=frames, fps=24.0))).value
    assert value is not None
    return value


def test_palette_drift_equals_the_formula_over_sorted_values() -> None:
    MetricTester().check(PaletteDrift(), palette_drift, CASES, tolerance=2e-5)  # palettes are kept as float32


def test_the_distance_is_close_to_the_earth_movers() -> None:
    frames = noise(num_frames=1, height=40, width=50).frames[0], texture(40, 50, seed=3)
    exact = [wasserstein_distance(*(lab(frame)[:, axis] for frame in frames)) for axis in range(3)]
    found = palette_distances(np.stack([palette_of(frame) for frame in frames]))
    assert found[0] == pytest.approx(np.linalg.norm(exact), rel=0.01)


def test_lab_is_cie_lab_of_srgb_under_d65() -> None:
    rng = np.random.default_rng(2)
    for colour in rng.integers(0, 256, (40, 3), dtype=np.uint8):
        share = colour / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        matrix = [(0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227)]
        x, y, z = (
            np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116
            for v in np.array(matrix) @ linear / (0.950456, 1, 1.088754)
        )
        expected = (116 * y - 16, 500 * (x - y), 200 * (y - z))
        found = palette_of(np.broadcast_to(colour, (3, 3, 3)).copy())
        np.testing.assert_allclose(found, np.repeat(expected, PARTS).reshape(3, PARTS), atol=1.01)


@pytest.mark.parametrize("pixels", [1, 31, 32, 33, 100])
def test_the_parts_are_means_of_equal_shares_of_the_sorted_values(pixels: int) -> None:
    values = np.random.default_rng(pixels).integers(0, 256, pixels)
    expected = np.sort(np.repeat(values, PARTS)).reshape(PARTS, -1).mean(axis=1)
    np.testing.assert_allclose(quantile_means(np.bincount(values, minlength=256)), expected, rtol=1e-12, atol=1e-12)


def test_a_still_clip_does_not_drift() -> None:
    assert drift(still().frames) == 0.0


def test_where_pixels_are_does_not_matter() -> None:
    frame = texture(24, 30)
    moved = np.random.default_rng(0).permutation(frame.reshape(-1, 3)).reshape(frame.shape)
    assert drift(np.stack([frame, moved, frame[::-1], frame[:, ::-1]])) == 0.0


def test_a_shift_of_all_colours_counts_as_its_length() -> None:
    palettes = np.random.default_rng(1).uniform(-60, 60, (1, 3, PARTS))
    shifted = np.concatenate([palettes, palettes + np.array([[3.0], [-4.0], [12.0]]), palettes])
    np.testing.assert_allclose(palette_distances(shifted), [13.0, 0.0], atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("action", ["walk", "talk", "cast"])
def test_drift_rises_with_colour_drift_and_little_else_moves_it(action: str) -> None:
    frames = render(Scene(action=action, seed=4, num_frames=12, width=128, height=72))
    own = drift(frames)
    grid = [drift(degrade("colour-drift", frames, severity=severity)) for severity in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert grid[0] == own
    assert grid == sorted(grid)
    assert grid[-1] > 8.0
    for name in ("jitter", "shuffle", "noise", "reverse"):
        found = drift(degrade(name, frames, severity=0.5))
        assert abs(found - own) < 1.5, f"{name}: {own} -> {found}"
        assert abs(found - own) < 0.5 * (grid[1] - own) or grid[1] - own < 3.0, f"{name}: {own} -> {found}, {grid}"
