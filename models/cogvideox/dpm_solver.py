"""V1's solver: DPM-Solver++ of order 2, multistep, with noise added at every step.

From the papers (Lu et al. 2022, arXiv 2211.01095) for a variance-preserving diffusion with levels
``x = a * clean + sqrt(1 - a^2) * noise``.

Reference: anisora_rl/sat/sgm/modules/diffusionmodules/sampling.py (VPSDEDPMPP2MSampler). It draws two noises a step
and uses the second, so its seeds do not carry over; noise is an argument here.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.dynamic_guidance import EXPONENT, SCALE, dynamic_guidance
from anisora.models.cogvideox.noise_table import NoiseTable, nearest_entry
from anisora.models.guidance import guided

__all__ = ["Draws", "clean_of_velocity", "dpm_states", "dpm_step"]


class Draws(Protocol):
    """The noise of each step: a sequence, a tensor or an array, or what draws it when it is asked for."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, index: int, /) -> Any:  # noqa: ANN401 - a tensor or an array
        """Return that of a step."""
        ...


def clean_of_velocity(state: Any, velocity: Any, level: float) -> Any:  # noqa: ANN401 - a tensor or an array
    """Return the clean latent that a network's velocity implies: ``a * x - sqrt(1 - a^2) * v``.

    Args:
        state: Tensor or array at ``level``.
        velocity: Of the same shape.
        level: The signal's share, 0 to 1.
    """
    return level * state - math.sqrt(1 - level**2) * velocity


def _log_ratio(level: float) -> float:
    if level == 0:
        return -math.inf
    return math.log(level / math.sqrt(1 - level**2))


def dpm_step(
    state: Any,  # noqa: ANN401 - a tensor or an array
    clean: Any,  # noqa: ANN401
    noise: Any,  # noqa: ANN401
    levels: tuple[float, float],
    before: tuple[float, Any] | None = None,
) -> Any:  # noqa: ANN401
    """Return the state one step further.

    Args:
        state: At the first of ``levels``.
        clean: What the network implies there.
        noise: Standard normal, of the state's shape; not used where the step ends clean.
        levels: The signal's share now and after the step, ascending.
        before: Level and clean latent of the step before; None takes a step of order 1. From a level of 0, which is
            infinitely far in log signal-to-noise ratio, it has no weight.

    Raises:
        ConfigError: The levels do not ascend within 0 to 1.
    """
    level, next_level = levels
    if not 0 <= level < next_level <= 1:
        raise ConfigError(
            f"`levels` got {levels}; expected two shares of the signal that ascend within 0 to 1. "
            "Take them from NoiseTable.solver_levels()."
        )
    if next_level == 1:
        return clean
    step = _log_ratio(next_level) - _log_ratio(level)
    target = clean
    if before is not None:
        weight = step / (2 * (_log_ratio(level) - _log_ratio(before[0])))
        target = (1 + weight) * clean - weight * before[1]
    kept = math.sqrt((1 - next_level**2) / (1 - level**2)) * math.exp(-step)
    gained = -math.expm1(-2 * step)
    return kept * state + next_level * gained * target + math.sqrt((1 - next_level**2) * gained) * noise


def dpm_states(
    velocities: Callable[[Any, int], tuple[Any, Any]],
    noise: Any,  # noqa: ANN401 - a tensor or an array
    step_noise: Draws,
    steps: int,
    *,
    table: NoiseTable | None = None,
    scale: float = SCALE,
    exponent: float = EXPONENT,
) -> Iterator[Any]:
    """Yield the state after each step of V1's sampling; the last one is the result.

    Args:
        velocities: (state, timestep) -> what the network predicts without and with the prompt.
        noise: The first state.
        step_noise: The noise of each step, each of the state's shape; that of the last step is not used.
        steps: How many.
        table: Of the noise levels; None is V1's.
        scale: Of the dynamic guidance.
        exponent: The same.

    Raises:
        ConfigError: There is no such number of steps, or not a noise for each that needs one.
    """
    table = NoiseTable() if table is None else table
    timesteps, levels, known = table.timesteps(steps), table.solver_levels(steps), table.denoiser_levels()
    if len(step_noise) < steps - 1:
        raise ConfigError(
            f"`step_noise` has {len(step_noise)} entries; expected {steps - 1}, one for each step but the last, "
            "or more. Draw as many."
        )
    state, before = noise, None
    for index, timestep in enumerate(timesteps.tolist()):
        level, next_level = float(levels[index]), float(levels[index + 1])
        unconditional, conditional = velocities(state, timestep)
        strength = dynamic_guidance(timestep, steps, scale=scale, exponent=exponent)
        velocity = guided(unconditional, conditional, strength)
        clean = clean_of_velocity(state, velocity, nearest_entry(known, level))
        drawn = step_noise[index] if next_level < 1 else np.nan
        state = dpm_step(state, clean, drawn, (level, next_level), before)
        before = (level, clean)
        yield state
