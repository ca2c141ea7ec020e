"""Sampling steps with noise, whose chances a policy gradient needs: the next state is drawn from a normal distribution.

Both turn the straight flow of a network into a stochastic differential equation with the same distributions at every
level (Liu et al. 2025, Flow-GRPO, arXiv 2505.05470, equation 9; Xue et al. 2025, DanceGRPO, arXiv 2505.07818). With
sigma s now, s' < s next and d = s' - s < 0:

    Flow-GRPO  g = noise_level * sqrt(s / (1 - s))    mean = x (1 + g^2 / (2 s) d) + v (1 + g^2 (1 - s) / (2 s)) d
    DanceGRPO  g = eta                                mean = x + v d - g^2 / 2 * score * d

and the deviation g * sqrt(-d). Log-probabilities are means over a sample's values, not sums, as both have them.

Reference: flow_grpo/diffusers_patch/sd3_sde_with_logprob.py (sde_step_with_logprob); DanceGRPO's
fastvideo/train_grpo_skyreels_i2v.py (flux_step).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.flow_schedule import euler_step
from anisora.training.per_sample import at_least_float32, double_levels, mean_of_each, spread

if TYPE_CHECKING:
    import torch

__all__ = ["ETA", "NOISE_LEVEL", "SdeStep", "clean_of_flow", "dance_grpo_step", "flow_grpo_step"]

NOISE_LEVEL: Final = 0.7
"""Of Flow-GRPO."""
ETA: Final = 0.3
"""Of DanceGRPO's image-to-video training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SdeStep:
    """The normal distribution of the next state."""

    mean: "torch.Tensor"
    """(B, ...), float32 at least."""
    diffusion: "torch.Tensor"
    """(B,): g, the noise of a step of length 1. Flow-GRPO's penalty divides by it, not by ``deviation``."""
    deviation: "torch.Tensor"
    """(B,): standard deviation of every value of the next state, above 0."""

    def drawn(self, noise: "torch.Tensor") -> "torch.Tensor":
        """Return the next state.

        Args:
            noise: (B, ...), standard normal.
        """
        return self.mean + spread(self.deviation, self.mean) * noise

    def log_prob(self, state: "torch.Tensor") -> "torch.Tensor":
        """Return the log-density of a next state, as a mean over its values.

        Args:
            state: (B, ...); no gradient flows into it.

        Returns:
            (B,).

        Raises:
            DataError: The shape is another.
        """
        if state.shape != self.mean.shape:
            raise DataError(
                f"`state` has shape {tuple(state.shape)}; expected {tuple(self.mean.shape)}, that of the step's mean. "
                "Pass the state that was drawn from this step."
            )
        deviation = spread(self.deviation, self.mean)
        distance = (at_least_float32(state.detach()) - self.mean) / deviation
        return mean_of_each(-(distance**2) / 2 - deviation.log() - math.log(2 * math.pi) / 2)


def clean_of_flow(state: "torch.Tensor", velocity: "torch.Tensor", sigma: "float | torch.Tensor") -> "torch.Tensor":
    """Return the clean latents that a velocity implies: the end of one straight step.

    Args:
        state: (B, ...).
        velocity: (B, ...).
        sigma: Of the state: one number or (B,).
    """
    clean: torch.Tensor = euler_step(state, velocity, spread(sigma, state), 0.0)
    return clean


def flow_grpo_step(
    state: "torch.Tensor",
    velocity: "torch.Tensor",
    sigma: "float | torch.Tensor",
    next_sigma: "float | torch.Tensor",
    *,
    sigma_for_one: float,
    noise_level: float = NOISE_LEVEL,
) -> SdeStep:
    """Return Flow-GRPO's step.

    Args:
        state: (B, ...), at ``sigma``.
        velocity: (B, ...), of the network, noise less clean.
        sigma: Above 0 to 1: one number or (B,).
        next_sigma: Below ``sigma``, from 0.
        sigma_for_one: Stands for s in 1 - s where s is 1 and the noise would be infinite: the second level of the
            schedule.
        noise_level: Positive.

    Raises:
        ConfigError: The levels do not descend within 1 to 0, or a number is not within its range.
        DataError: State and velocity differ in shape.
    """
    import torch

    level, following = _checked(state, velocity, sigma, next_sigma)
    if not 0 < sigma_for_one < 1 or not noise_level > 0:
        raise ConfigError(
            f"`sigma_for_one` got {sigma_for_one!r} and `noise_level` {noise_level!r}; expected a level between 0 and "
            "1 and a positive number. Take the schedule's second level."
        )
    remaining = 1 - torch.where(level == 1, torch.full_like(level, sigma_for_one), level)
    diffusion = noise_level * (level / remaining).sqrt()
    difference, pull = following - level, diffusion**2 / (2 * level)
    x, v = at_least_float32(state), at_least_float32(velocity)
    mean = x * spread(1 + pull * difference, x) + v * spread((1 + pull * (1 - level)) * difference, x)
    return _step(mean, diffusion, difference)


def dance_grpo_step(
    state: "torch.Tensor",
    velocity: "torch.Tensor",
    sigma: "float | torch.Tensor",
    next_sigma: "float | torch.Tensor",
    *,
    eta: float = ETA,
    follows_score: bool = True,
) -> SdeStep:
    """Return DanceGRPO's step.

    Args:
        state: (B, ...), at ``sigma``.
        velocity: (B, ...), of the network, noise less clean.
        sigma: Above 0 to 1: one number or (B,).
        next_sigma: Below ``sigma``, from 0.
        eta: Positive.
        follows_score: Whether the mean makes up for the noise; else it is that of the straight step, and states drift
            from the distribution that the network knows.

    Raises:
        ConfigError: The levels do not descend within 1 to 0, or eta is not positive.
        DataError: State and velocity differ in shape.
    """
    level, following = _checked(state, velocity, sigma, next_sigma)
    if not eta > 0:
        raise ConfigError(f"`eta` got {eta!r}; expected a positive number. The release takes 0.25 or {ETA:g}.")
    x, v = at_least_float32(state), at_least_float32(velocity)
    difference = following - level
    mean = euler_step(x, v, 0.0, spread(difference, x))
    if follows_score:
        score = -(x - spread(1 - level, x) * clean_of_flow(x, v, level)) / spread(level**2, x)
        mean = mean - eta**2 / 2 * score * spread(difference, x)
    return _step(mean, level.new_full((len(x),), eta), difference)


def _checked(
    state: "torch.Tensor",
    velocity: "torch.Tensor",
    sigma: "float | torch.Tensor",
    next_sigma: "float | torch.Tensor",
) -> "tuple[torch.Tensor, torch.Tensor]":
    if state.shape != velocity.shape:
        raise DataError(
            f"`velocity` has shape {tuple(velocity.shape)}; expected {tuple(state.shape)}, the state's. Cut off what "
            "the network predicts beside it."
        )
    level, following = (double_levels(each) for each in (sigma, next_sigma))
    if not bool(((following >= 0) & (following < level) & (level <= 1)).all()):
        raise ConfigError(
            f"`sigma` has {level.tolist()} and `next_sigma` {following.tolist()}; expected levels that descend within "
            "1 to 0. Take two that follow each other in the schedule."
        )
    return level, following


def _step(mean: "torch.Tensor", diffusion: "torch.Tensor", difference: "torch.Tensor") -> SdeStep:
    each = diffusion.expand(len(mean))
    deviation = each * (-difference).sqrt()
    return SdeStep(mean=mean, diffusion=each.to(mean), deviation=deviation.to(mean))
