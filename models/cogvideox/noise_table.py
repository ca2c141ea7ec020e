"""V1's noise levels, as the square root of alpha-bar: the signal's share, from 0, noise alone, to 1, clean.

A clip is ``a * clean + sqrt(1 - a^2) * noise``. The last level of training still holds a little signal; the table is
stretched so that it holds none ("zero SNR", Lin et al. 2023, arXiv 2305.08891). V1 has two tables: its solver stretches
the levels that it steps through, and its denoiser looks up the nearest entry of the table stretched on all levels.

Reference: anisora_rl/sat/sgm/modules/diffusionmodules/discretizer.py (ZeroSNRDDPMDiscretization), sampling.py
(VPSDEDPMPP2MSampler.prepare_sampling_loop).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError

__all__ = ["NoiseTable", "nearest_entry", "zero_snr"]


def zero_snr(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretch a table so that its noisiest level holds no signal and its cleanest stays.

    ``(a - a_last) * a_first / (a_first - a_last)``.

    Args:
        levels: (n,), from the cleanest to the noisiest, descending.

    Raises:
        ConfigError: There are not two different levels.
    """
    if len(levels) < 2 or levels[0] == levels[-1]:
        raise ConfigError(
            f"`levels` has {len(levels)} entries; expected two or more different ones to stretch. Take more steps."
        )
    first, last = levels[0], levels[-1]
    stretched: NDArray[np.float64] = (levels - last) * first / (first - last)
    return stretched


def nearest_entry(table: NDArray[np.float64], level: float) -> float:
    """Return the entry of a table that is nearest to a level.

    Args:
        table: (n,).
        level: 0 to 1.
    """
    return float(table[np.argmin(np.abs(table - level))])


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseTable:
    """The levels of a diffusion whose betas are squares of equal steps; the defaults are V1's."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    shift_scale: float = 1.0
    """Divides the signal-to-noise ratio; 1 changes nothing."""
    num_train_timesteps: int = 1000

    def alpha_bar(self) -> NDArray[np.float64]:
        """Return the squared levels of training, from the cleanest to the noisiest, before they are stretched."""
        roots = np.linspace(self.beta_start**0.5, self.beta_end**0.5, self.num_train_timesteps)
        kept: NDArray[np.float64] = np.cumprod(1 - roots**2)
        return kept / (self.shift_scale + (1 - self.shift_scale) * kept)

    def timesteps(self, steps: int) -> NDArray[np.int64]:
        """Return the timesteps of a number of steps, from the noisiest: equal parts of 999, cut to whole numbers.

        Args:
            steps: 2 to ``num_train_timesteps``.

        Raises:
            ConfigError: There is no such number of steps.
        """
        total = self.num_train_timesteps
        if not 2 <= steps <= total:
            raise ConfigError(f"`steps` got {steps}; expected 2 to {total}. The released model takes 50.")
        if steps == total:
            return np.arange(total)[::-1]
        return np.linspace(total - 1, 0, steps, endpoint=False).astype(np.int64)

    def solver_levels(self, steps: int) -> NDArray[np.float64]:
        """Return the levels that the solver steps through, from 0 to 1, stretched on themselves alone.

        Args:
            steps: 2 to ``num_train_timesteps``.

        Returns:
            (steps + 1,), ascending.

        Raises:
            ConfigError: There is no such number of steps.
        """
        clean_first = np.sqrt(self.alpha_bar()[self.timesteps(steps)[::-1]])
        return np.append(zero_snr(clean_first)[::-1], 1.0)

    def denoiser_levels(self) -> NDArray[np.float64]:
        """Return the levels that the denoiser knows, stretched on all of them, from the cleanest to the noisiest.

        Returns:
            (num_train_timesteps,), descending.
        """
        return zero_snr(np.sqrt(self.alpha_bar()))


V1: Final = NoiseTable()
