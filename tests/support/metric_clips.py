"""Small clips with known answers, for metrics."""

import cv2
import numpy as np

from anisora.harness.types import FrameArray, Frames

__all__ = ["fading", "noise", "still", "texture", "translating"]


def texture(height: int, width: int, *, seed: int = 0, smoothness: float = 2.0) -> Frames:
    """A smooth random colour texture of full contrast."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), smoothness)
    return np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def translating(
    *,
    shift: tuple[int, int],
    num_frames: int = 5,
    height: int = 48,
    width: int = 64,
    fps: float = 24.0,
    seed: int = 0,
    smoothness: float = 2.0,
) -> FrameArray:
    """A window that slides over a texture: all that is seen moves by ``shift`` (x, y) pixels a frame."""
    x, y = shift
    margin_x, margin_y = abs(x) * num_frames, abs(y) * num_frames
    scene = texture(height + 2 * margin_y, width + 2 * margin_x, seed=seed, smoothness=smoothness)
    frames = [
        scene[margin_y - y * t : margin_y - y * t + height, margin_x - x * t : margin_x - x * t + width]
        for t in range(num_frames)
    ]
    return FrameArray(frames=np.stack(frames), fps=fps)


def still(*, num_frames: int = 4, height: int = 48, width: int = 64, fps: float = 24.0) -> FrameArray:
    """One texture, held."""
    return FrameArray(frames=np.stack([texture(height, width)] * num_frames), fps=fps)


def noise(*, num_frames: int = 4, height: int = 48, width: int = 64, fps: float = 24.0, seed: int = 0) -> FrameArray:
    """Independent uniform noise in each frame: every pixel value occurs, extremes too."""
    rng = np.random.default_rng(seed)
    return FrameArray(frames=rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8), fps=fps)


def fading(*, num_frames: int = 4, height: int = 48, width: int = 64, fps: float = 12.0) -> FrameArray:
    """From black to white in equal steps."""
    levels = np.rint(np.linspace(0, 255, num_frames)).astype(np.uint8)
    return FrameArray(
        frames=np.full((num_frames, height, width, 3), 1, np.uint8) * levels[:, None, None, None], fps=fps
    )
