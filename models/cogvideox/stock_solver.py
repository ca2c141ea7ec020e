"""The solver of stock CogVideoX, which AniSora is compared with: diffusers' own scheduler.

It steps through the same timesteps as AniSora V1 with one table of noise levels in place of two, and draws two noises a
step. Guidance is dynamic as V1's is.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.dynamic_guidance import dynamic_guidance
from anisora.models.guidance import guided

if TYPE_CHECKING:
    import torch

    from anisora.models.cogvideox.sampling import Velocities

__all__ = ["STOCK_SCHEDULE", "stock_solver"]

STOCK_SCHEDULE: Final[Mapping[str, Any]] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "rescale_betas_zero_snr": True,
    "snr_shift_scale": 1.0,
    "set_alpha_to_one": True,
    "clip_sample": False,
}
"""Arguments of CogVideoXDPMScheduler for the networks of 5 billion parameters."""


def stock_solver(
    velocities: "Velocities", noise: "torch.Tensor", generator: "torch.Generator", steps: int
) -> "Iterator[torch.Tensor]":
    """Yield the state after each step of diffusers' solver.

    Args:
        velocities: Of both branches.
        noise: The first state.
        generator: On the CPU; one or two draws a step.
        steps: How many.

    Raises:
        ConfigError: There is no such number of steps.
    """
    from diffusers import CogVideoXDPMScheduler

    scheduler = CogVideoXDPMScheduler(**STOCK_SCHEDULE)
    total = scheduler.config.num_train_timesteps
    if not 2 <= steps <= total:
        raise ConfigError(f"`steps` got {steps}; expected 2 to {total}. The released model takes 50.")
    scheduler.set_timesteps(steps)
    state, clean, before = noise, None, None
    for timestep in scheduler.timesteps.tolist():
        unconditional, conditional = velocities(state, timestep)
        velocity = guided(unconditional, conditional, dynamic_guidance(timestep, steps))
        state, clean = scheduler.step(velocity, clean, timestep, before, state, generator=generator)
        before = timestep
        yield state
