"""UniPC for flow matching: each step predicts with the last two evaluations and corrects with the next one.

From the paper (Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework", arXiv 2302.04867), multistep form,
order 2, data prediction, B(h) = 1 - exp(-h), here called bh2. With sigma the level of noise and 1 - sigma that of the
signal, lambda = log((1 - sigma) / sigma) is half the log signal-to-noise ratio, h its step, and r the step before in
units of h, negative.

    base      = sigma_t / sigma_s * x_s + (1 - sigma_t) * B(h) * m_s
    predicted = base + (1 - sigma_t) * B(h) * 1/2 * (m_r - m_s) / r
    corrected = base + (1 - sigma_t) * B(h) * (c_1 * (m_r - m_s) / r + c_2 * (m_t - m_s))

m is the clean latent that the network's velocity implies. The corrector costs no evaluation: that of its end point is
needed for the next step anyway, and is not repeated at the corrected state.

Reference for levels and timesteps: anisoraV3/wan/utils/fm_solvers_unipc.py (FlowUniPCMultistepScheduler).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS, shifted

__all__ = ["unipc_sigmas", "unipc_states", "unipc_timesteps"]

_ORDER: Final = 2
Evaluation = tuple[float, Any]
"""A level of noise and the clean latent that the network implied there."""


def _levels(steps: int, shift: float, num_train_timesteps: int) -> NDArray[np.float64]:
    if steps < 1:
        raise ConfigError(f"`steps` got {steps}; expected 1 or more. The released models take 8 or 40.")
    highest = float(np.float32(1 - 1 / num_train_timesteps))
    return shifted(np.linspace(highest, 0.0, steps + 1), shift)


def unipc_sigmas(steps: int, shift: float, num_train_timesteps: int = TRAIN_TIMESTEPS) -> NDArray[np.float32]:
    """Return the levels of noise, descending, the final 0 included.

    Equal steps from ``1 - 1/1000`` to 0, then shifted; kept in single precision, as the reference does.

    Args:
        steps: How many evaluations.
        shift: Positive; above 1 moves levels towards noise.
        num_train_timesteps: Of the network's training.

    Returns:
        (steps + 1,).

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    return _levels(steps, shift, num_train_timesteps).astype(np.float32)


def unipc_timesteps(steps: int, shift: float, num_train_timesteps: int = TRAIN_TIMESTEPS) -> NDArray[np.int64]:
    """Return what the network is told at each level but the last: whole numbers, cut before the levels are rounded.

    Args:
        steps: How many evaluations.
        shift: Positive.
        num_train_timesteps: Of the network's training.

    Returns:
        (steps,).

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    return (_levels(steps, shift, num_train_timesteps)[:-1] * num_train_timesteps).astype(np.int64)


def unipc_states(
    velocity: Callable[[Any, int], Any],
    noise: Any,  # noqa: ANN401 - a tensor or an array
    sigmas: Sequence[float],
    timesteps: Sequence[int],
) -> Iterator[Any]:
    """Yield the predicted state after each step; the last one is the result.

    The first and the last step are of order 1.

    Args:
        velocity: (state, timestep) -> the network's prediction, noise - clean.
        noise: The state at the first level.
        sigmas: Descending, below 1, the final 0 included.
        timesteps: One for each level but the last.

    Raises:
        ConfigError: The levels do not fall from below 1 to 0, or the numbers differ.
    """
    levels = [float(sigma) for sigma in sigmas]
    falls = all(low < high for high, low in pairwise(levels))
    if len(levels) != len(timesteps) + 1 or len(levels) < 2 or levels[0] >= 1 or levels[-1] != 0 or not falls:
        raise ConfigError(
            f"`sigmas` has {len(levels)} levels and `timesteps` {len(timesteps)} entries; expected one level more, "
            "falling from below 1 to 0. Take them from unipc_sigmas() and unipc_timesteps()."
        )
    start, state = noise, noise
    known: list[Evaluation] = []
    for index, timestep in enumerate(timesteps):
        sigma = levels[index]
        clean = state - sigma * velocity(state, int(timestep))
        if known:
            state = _corrected(start, known, sigma, clean)
        known = [*known, (sigma, clean)][-_ORDER:]
        start = state
        is_last = index == len(timesteps) - 1
        state = _predicted(start, known[-1:] if is_last else known, levels[index + 1])
        yield state


def _log_ratio(sigma: float) -> float:
    return math.inf if sigma == 0 else math.log((1 - sigma) / sigma)


def _base(start: Any, last: Evaluation, sigma: float) -> tuple[Any, float, float]:  # noqa: ANN401
    """Return the step of order 1, what multiplies its corrections, and h."""
    last_sigma, last_clean = last
    step = _log_ratio(sigma) - _log_ratio(last_sigma)
    scale = -math.expm1(-step) * (1 - sigma)
    return sigma / last_sigma * start + scale * last_clean, scale, step


def _slope(known: Sequence[Evaluation], step: float) -> tuple[Any, float]:
    """Return the difference of the last two evaluations in units of the step, and r."""
    (before_sigma, before), (last_sigma, last) = known
    ratio = (_log_ratio(before_sigma) - _log_ratio(last_sigma)) / step
    return (before - last) / ratio, ratio


def _predicted(start: Any, known: Sequence[Evaluation], sigma: float) -> Any:  # noqa: ANN401
    state, scale, step = _base(start, known[-1], sigma)
    if len(known) == _ORDER:
        state = state + scale * 0.5 * _slope(known, step)[0]
    return state


def _corrected(start: Any, known: Sequence[Evaluation], sigma: float, clean: Any) -> Any:  # noqa: ANN401
    state, scale, step = _base(start, known[-1], sigma)
    change = clean - known[-1][1]
    if len(known) < _ORDER:
        return state + scale * 0.5 * change
    slope, ratio = _slope(known, step)
    first, second = _corrector_weights(step, ratio)
    return state + scale * (first * slope + second * change)


def _corrector_weights(step: float, ratio: float) -> tuple[float, float]:
    """Solve ``c_1 + c_2 = g_1`` and ``r c_1 + c_2 = g_2`` for the corrector's weights.

    With E = 1 - exp(-h): g_1 = 1/E - 1/h and g_2 = 2 (E/h^2 - 1/h + 1/2) / E.
    """
    growth = -math.expm1(-step)
    level = 1 / growth - 1 / step
    tilt = 2 * (growth / step**2 - 1 / step + 0.5) / growth
    first = (level - tilt) / (1 - ratio)
    return first, level - first
