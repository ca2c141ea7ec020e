"""The loss of AniSora V2: mean squared error of the straight velocity from clean latents to noise, weighted by a bell.

Latents at sigma are ``(1 - sigma) * clean + sigma * noise`` and the network predicts ``noise - clean`` (Lipman et al.
2022, arXiv 2210.02747; Liu et al. 2022, arXiv 2209.03003).

Reference: anisoraV2_gpu/fastvideo/train.py (FlowMatchScheduler, train_one_step).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError
from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS, flow_sigmas, training_weights
from anisora.training.losses.objective import Objective
from anisora.training.per_sample import spread

if TYPE_CHECKING:
    import torch

__all__ = ["FLOW_MATCHING", "SHIFT", "FlowTable", "add_noise", "flow_table", "velocity_target", "weighted_loss"]

SHIFT: Final = 5.0
"""Of AniSora V2's training."""


def add_noise(clean: "torch.Tensor", noise: "torch.Tensor", level: "float | torch.Tensor") -> "torch.Tensor":
    """Return ``(1 - sigma) * clean + sigma * noise``.

    Args:
        clean: (B, C, T, h, w), normalised latents, or of any other shape.
        noise: Standard normal, of the same shape.
        level: Sigma, 0 to 1: one number or (B,).

    Raises:
        DataError: There is not one level a sample.
    """
    sigma = spread(level, clean)
    return (1 - sigma) * clean + sigma * noise


def velocity_target(
    clean: "torch.Tensor",
    noise: "torch.Tensor",
    level: "float | torch.Tensor | None" = None,  # noqa: ARG001 - the velocity is the same at every level
) -> "torch.Tensor":
    """Return ``noise - clean``.

    Args:
        clean: (B, ...).
        noise: (B, ...).
        level: Not used: the way is straight.
    """
    return noise - clean


FLOW_MATCHING: Final = Objective(add_noise=add_noise, target=velocity_target)
"""Of Wan and AniSora V2 and later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTable:
    """The levels of training, from noise to clean; an entry is drawn with equal chances."""

    sigmas: "torch.Tensor"
    """(n,) float32, 1 downwards."""
    timesteps: "torch.Tensor"
    """(n,) float32: what the network is told, ``1000 * sigma``."""
    weights: "torch.Tensor"
    """(n,) float64: of the loss, of mean 1; that of the lowest is 0."""


def flow_table(
    *,
    shift: float = SHIFT,
    sigma_min: float = 0.0,
    extra_one_step: bool = True,
    count: int = TRAIN_TIMESTEPS,
) -> FlowTable:
    """Return the table of training.

    Args:
        shift: Above 1 moves levels towards noise.
        sigma_min: The lowest level before the shift.
        extra_one_step: Whether the lowest level is left out.
        count: Entries.

    Raises:
        ConfigError: There are not two entries, or the shift is not positive.
    """
    import torch

    sigmas = flow_sigmas(count, shift=shift, sigma_min=sigma_min, extra_one_step=extra_one_step)
    timesteps = sigmas * TRAIN_TIMESTEPS
    weights = training_weights(timesteps)
    return FlowTable(
        sigmas=torch.from_numpy(sigmas), timesteps=torch.from_numpy(timesteps), weights=torch.from_numpy(weights)
    )


def weighted_loss(
    errors: "torch.Tensor", weights: "torch.Tensor", *, gradient_accumulation_steps: int = 1
) -> "torch.Tensor":
    """Return the mean of weighted errors, divided by the number of batches whose gradients are added.

    Args:
        errors: (B,), as ``FLOW_MATCHING.errors`` returns them.
        weights: (B,), the table's at the timesteps of the samples.
        gradient_accumulation_steps: At least 1.

    Returns:
        ().

    Raises:
        ConfigError: There is no such number of steps.
        DataError: There is not one weight a sample.
    """
    if gradient_accumulation_steps < 1:
        raise ConfigError(
            f"`gradient_accumulation_steps` got {gradient_accumulation_steps}; expected 1 or more. Take 1 to step "
            "after every batch."
        )
    return (errors * spread(weights, errors)).mean() / gradient_accumulation_steps
