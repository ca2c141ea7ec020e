"""Energy at the periods of a grid, as decoders and patches leave it in clips that are tuned too far."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames

__all__ = ["LEAST_SIDE", "PERIOD", "grid_peak"]

PERIOD: Final = 16
"""Pixels: a patch of 2x2 latents of a VAE that shrinks eightfold; a period of 8 is its first harmonic."""
LEAST_SIDE: Final = 3 * PERIOD
"""Of frames that have neighbours enough of the frequencies of a grid."""
_MOST_FRAMES: Final = 8
_NEIGHBOURS: Final = (-2, -1, 1, 2)
_LARGEST: Final = 4
"""Levels to which differences are cut: drawn edges have a hundred, and would hide lines of five."""
_FLOOR: Final = 0.05
"""Of the energy of a frequency, in squared levels: below what rounding to whole levels leaves of a flat picture."""


def grid_peak(frames: Frames) -> float | None:
    """Return how far the energy at the frequencies of a grid lies above that of their neighbours.

    Of the luma of up to eight frames, cut to multiples of 16 pixels, take second differences along each axis, cut to 4
    levels either way, and average them over all frames and all lines of that axis: what is left is what stands at the
    same place in most lines, as a grid does and drawn edges do not. Of the power spectra of these two profiles, the
    value is ``10 log10((sum at multiples of 1/16 + f) / (sum of the means of the bins up to two beside each + f))``
    with a floor f of a twentieth of a squared level a frequency. Periodic artefacts of decoders as peaks of the
    spectrum: Frank et al. 2020, arXiv 2003.08685; differences by place in a block: Fan and de Queiroz 2003, IEEE TIP
    12(2).

    Args:
        frames: (T, H, W, 3) uint8.

    Returns:
        Decibels; about 0 where there is no grid. None for frames below 48 pixels on a side.
    """
    import cv2

    height, width = (side // PERIOD * PERIOD for side in frames.shape[1:3])
    if min(height, width) < LEAST_SIDE:
        return None
    chosen = np.unique(np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(np.int64))
    cut = (np.ascontiguousarray(frame[:height, :width]) for frame in frames[chosen])
    lumas = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in cut]).astype(np.int16)
    peaks = beside = floor = 0.0
    for profile in (_profile(lumas), _profile(lumas.swapaxes(1, 2))):
        power = np.abs(np.fft.rfft(profile - profile.mean())) ** 2 / len(profile)
        for place, others in _places(len(profile)):
            peaks += float(power[place])
            beside += float(power[others].mean())
            floor += _FLOOR
    return float(10 * np.log10((peaks + floor) / (beside + floor)))


def _profile(lumas: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return (columns,) means of second differences along rows, each cut; the ends are those of their neighbours."""
    second = lumas[..., :-2] - 2 * lumas[..., 1:-1] + lumas[..., 2:]
    means = np.clip(second, -_LARGEST, _LARGEST).reshape(-1, second.shape[2]).mean(axis=0)
    return np.pad(means, 1, mode="edge")


def _places(size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the bins of a grid's frequencies below the highest one, each with the bins beside it."""
    step = size // PERIOD
    for place in range(step, size // 2, step):
        others = [place + shift for shift in _NEIGHBOURS]
        yield place, [other for other in others if 0 < other < size // 2 and other % step]
