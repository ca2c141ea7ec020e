"""Noise levels of flow matching, and the Euler step along them.

A noisy latent is ``(1 - sigma) * clean + sigma * noise``, so that sigma falls from 1, noise alone, to 0, and a network
predicts the velocity ``noise - clean``. A shift above 1 spends more of the steps near noise.

Reference: anisoraV2_npu/fastvideo/bili_space/wan/fm_scheduler.py (FlowMatchScheduler).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError

__all__ = ["TRAIN_TIMESTEPS", "euler_states", "euler_step", "flow_sigmas", "shifted", "training_weights"]

TRAIN_TIMESTEPS: Final = 1000
"""A network is told ``sigma * 1000``."""


Level = TypeVar("Level", np.float32, np.float64)


def shifted(sigmas: NDArray[Level], shift: float) -> NDArray[Level]:
    """Return ``shift * s / (1 + (shift - 1) * s)``; 0 and 1 stay where they are.

    Args:
        sigmas: 0 to 1.
        shift: Positive; 1 changes nothing.

    Raises:
        ConfigError: The shift is not positive.
    """
    if not shift > 0:
        raise ConfigError(f"`shift` got {shift!r}; expected a positive number. The released models take 3 or 5.")
    return shift * sigmas / (1 + (shift - 1) * sigmas)


def flow_sigmas(
    steps: int, *, shift: float, sigma_min: float = 0.0, extra_one_step: bool = True
) -> NDArray[np.float32]:
    """Return the noise levels at which a network is asked, from 1 downwards; a thousand times one is its timestep.

    In torch's single precision, as the reference computes them: timesteps near 1000 have few digits behind the point.

    Args:
        steps: How many.
        shift: Above 1 moves levels towards noise.
        sigma_min: The lowest level before the shift.
        extra_one_step: Whether the lowest level is the end of the last step, and none at which the network is asked.

    Returns:
        (steps,).

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    import torch

    if steps < 1:
        raise ConfigError(f"`steps` got {steps}; expected 1 or more. The released models take 8 to 40.")
    levels = torch.linspace(1.0, sigma_min, steps + extra_one_step, dtype=torch.float32)[:steps]
    return shifted(levels.numpy(), shift)


def training_weights(timesteps: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights of the loss at the timesteps of training: a bell around the middle, 0 at its lowest.

    ``exp(-2 ((t - n/2) / n)^2)`` for n timesteps, less its smallest value, scaled to a mean of 1.

    Args:
        timesteps: (n,), the whole table, after the shift.

    Raises:
        ConfigError: All weights would be 0, as for a single timestep.
    """
    count = len(timesteps)
    bell: NDArray[np.float64] = np.exp(-2 * ((timesteps.astype(np.float64) - count / 2) / count) ** 2)
    bell -= bell.min(initial=np.inf)
    if not bell.any():
        raise ConfigError(f"`timesteps` has {count} entries of one weight; expected the whole table of training.")
    bell /= bell.mean()
    return bell


def euler_step(state: Any, velocity: Any, sigma: Any, next_sigma: Any) -> Any:  # noqa: ANN401 - tensors or arrays
    """Return the state one straight step further.

    Args:
        state: Tensor or array at ``sigma``.
        velocity: Of the same shape.
        sigma: The level of noise now: a number, or one a sample in a shape that multiplies the velocity.
        next_sigma: The level to go to, the same.
    """
    return state + velocity * (next_sigma - sigma)


def euler_states(
    velocity: Callable[[Any, float], Any],
    noise: Any,  # noqa: ANN401 - a tensor or an array
    sigmas: Sequence[float],
) -> Iterator[Any]:
    """Yield the state after each step; the last one, at 0, is the result.

    Args:
        velocity: (state, sigma) -> the network's prediction.
        noise: The state at the first level.
        sigmas: Levels at which the network is asked, descending; the last step goes to 0.
    """
    state = noise
    for sigma, next_sigma in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        state = euler_step(state, velocity(state, sigma), sigma, next_sigma)
        yield state
