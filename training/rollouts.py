"""Clips drawn from the network in training, by steps with noise whose log-probabilities are kept.

Every clip has a generator of its own: first noise, then the noise of each step, and at last which steps are trained.

Reference: flow_grpo's scripts/train_sd3.py and diffusers_patch/sd3_pipeline_with_logprob.py; DanceGRPO's
fastvideo/train_grpo_skyreels_i2v.py (run_sample_step, sample_reference_model).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS, euler_step
from anisora.training.grpo.noise_levels import dance_grpo_sigmas, flow_grpo_sigmas
from anisora.training.grpo.sde_step import ETA, NOISE_LEVEL, SdeStep, dance_grpo_step, flow_grpo_step
from anisora.training.per_sample import spread

if TYPE_CHECKING:
    import torch

__all__ = ["FRACTIONS", "Rollout", "Sampler", "SdeRule", "rolled_out", "trained_places"]

Sampler = Literal["flow_grpo", "dance_grpo"]
FRACTIONS: Final[dict[Sampler, float]] = {"flow_grpo": 0.99, "dance_grpo": 0.6}
"""Of sampling steps that each release trains."""

Ask = Callable[["torch.Tensor", float], "torch.Tensor"]
"""(states (B, ...), timestep) -> velocities (B, ...)"""


@dataclass(frozen=True, slots=True)
class SdeRule:
    """Levels of noise, and how a step between them is drawn."""

    sampler: Sampler
    sigmas: tuple[float, ...]
    """From 1 to 0: one more than steps."""
    noise_level: float

    @classmethod
    def of(cls, sampler: Sampler, *, steps: int, shift: float, noise_level: float | None = None) -> "SdeRule":
        """Return a release's rule.

        Args:
            sampler: Whose.
            steps: 2 or more.
            shift: Of the levels; above 1 moves them towards noise.
            noise_level: Positive; the release's by default.

        Raises:
            ConfigError: A number is out of its range.
        """
        if steps < 2:
            raise ConfigError(
                f"`steps` got {steps}; expected 2 or more: what is drawn at once has no step whose noise is known."
            )
        if sampler == "flow_grpo":
            return cls(sampler, _plain(flow_grpo_sigmas(steps, shift=shift)), noise_level or NOISE_LEVEL)
        return cls(sampler, _plain(dance_grpo_sigmas(steps, shift=shift)), noise_level or ETA)

    @property
    def steps(self) -> int:
        """How many there are."""
        return len(self.sigmas) - 1

    def timestep(self, place: int) -> float:
        """Return what the network is told at a step."""
        return self.sigmas[place] * TRAIN_TIMESTEPS

    def step(self, states: "torch.Tensor", velocities: "torch.Tensor", places: Sequence[int]) -> SdeStep:
        """Return the distribution of the next states.

        Args:
            states: (B, ...).
            velocities: (B, ...), there.
            places: Which step each of them takes, from 0.
        """
        import torch

        now, then = (torch.tensor([self.sigmas[place + one] for place in places]) for one in (0, 1))
        if self.sampler == "flow_grpo":
            return flow_grpo_step(
                states, velocities, now, then, sigma_for_one=self.sigmas[1], noise_level=self.noise_level
            )
        return dance_grpo_step(states, velocities, now, then, eta=self.noise_level)


def _plain(sigmas: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(sigmas.tolist())


class Rollout(NamedTuple):
    """How a clip was drawn."""

    states: "torch.Tensor"
    """(steps + 1, ...) float32: noise first, the clip's latents last."""
    log_probs: "torch.Tensor"
    """(steps,), of each state but the first, given the one before it."""
    trained: tuple[int, ...]
    """Steps that are trained on, from 0."""


def trained_places(
    rule: SdeRule, able: Sequence[int], fraction: float | None, generator: "torch.Generator"
) -> tuple[int, ...]:
    """Return the steps of a clip that are trained: the first ones of Flow-GRPO, drawn ones of DanceGRPO.

    Args:
        rule: Says which.
        able: Steps that can be.
        fraction: Of these, above 0 to 1; the release's by default.
        generator: On the CPU.

    Returns:
        One or more, in the order in which they are trained.
    """
    import torch

    count = max(1, int(len(able) * (FRACTIONS[rule.sampler] if fraction is None else fraction)))
    if rule.sampler == "flow_grpo":
        return tuple(able[:count])
    drawn = torch.randperm(len(able), generator=generator)[:count]
    return tuple(able[place] for place in drawn.tolist())


def rolled_out(
    ask: Ask,
    rule: SdeRule,
    noise: "torch.Tensor",
    generators: "Sequence[torch.Generator]",
    trained: Sequence[Sequence[int]],
    *,
    noise_everywhere: bool = True,
    keep_on: "torch.device | str" = "cpu",
) -> list[Rollout]:
    """Draw clips.

    Args:
        ask: The network.
        rule: Of the steps.
        noise: (B, ...) float32, where the network is.
        generators: Of each clip, on the CPU, for the noise of its steps.
        trained: Steps of each clip that are trained on.
        noise_everywhere: Whether the others have noise as well; without it they are straight ones.
        keep_on: Where states wait.
    """
    import torch

    state = noise.float()
    states, log_probs = [state.to(keep_on)], []
    with torch.no_grad():
        for place in range(rule.steps):
            velocity = ask(state, rule.timestep(place))
            step = rule.step(state, velocity, [place] * len(state))
            drawn = torch.stack([torch.randn(state.shape[1:], generator=each) for each in generators])
            following = step.drawn(drawn.to(state))
            log_probs.append(step.log_prob(following).to(keep_on))
            if not noise_everywhere:
                has_noise = torch.tensor([float(place in own) for own in trained])
                straight = euler_step(state, velocity, rule.sigmas[place], rule.sigmas[place + 1])
                following = torch.where(spread(has_noise, state) > 0, following, straight)
            state = following
            states.append(state.to(keep_on))
    kept, chances = torch.stack(states, 1), torch.stack(log_probs, 1)
    return [
        Rollout(states=own, log_probs=chance, trained=tuple(places))
        for own, chance, places in zip(kept, chances, trained, strict=True)
    ]
