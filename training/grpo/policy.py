"""The loss of GRPO: clipped ratios of probabilities, and a penalty for leaving a reference.

The first is PPO's (Schulman et al. 2017, arXiv 1707.06347, equation 7).

Reference: flow_grpo's scripts/train_sd3.py; DanceGRPO's fastvideo/train_grpo_skyreels_i2v.py (train_one_step), without
the penalty.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.training.per_sample import at_least_float32, mean_of_each, spread

if TYPE_CHECKING:
    import torch

__all__ = ["CLIP_RANGE", "PolicyLoss", "ReferencePenalty", "clipped_losses", "policy_loss", "reference_penalties"]

CLIP_RANGE: Final = 1e-4
"""Of both references: log-probabilities are means over values, so that ratios hardly leave 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePenalty:
    """What a step of the frozen reference would have been."""

    mean: "torch.Tensor"
    """(B, ...), of the step of the network in training."""
    reference_mean: "torch.Tensor"
    """(B, ...), of the reference, without gradient."""
    diffusion: "torch.Tensor"
    """(B,), of the step."""
    beta: float
    """Weight of the penalty, above 0: 0.04 or 0.01 in flow_grpo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoss:
    """The loss of a batch, and what is logged of it; all are ()."""

    loss: "torch.Tensor"
    """To be minimised; the only one with a gradient."""
    policy_loss: "torch.Tensor"
    """Its clipped part."""
    kl_loss: "torch.Tensor | None"
    """Mean of the penalties before they are weighted; None where there is no reference."""
    approx_kl: "torch.Tensor"
    """Half the mean squared difference of log-probabilities, 0 where the network has not changed since sampling."""
    clipfrac: "torch.Tensor"
    """Share of samples whose ratio is clipped, 0 to 1."""
    clipfrac_gt_one: "torch.Tensor"
    """Share of those above."""
    clipfrac_lt_one: "torch.Tensor"
    """Share of those below."""


def clipped_losses(
    advantages: "torch.Tensor", log_prob: "torch.Tensor", old_log_prob: "torch.Tensor", *, clip_range: float
) -> "torch.Tensor":
    """Return ``max(-A r, -A clip(r, 1 - c, 1 + c))`` of each sample, with r the ratio of its probabilities.

    Args:
        advantages: (B,), clamped.
        log_prob: (B,), of the network in training.
        old_log_prob: (B,), when it was sampled.
        clip_range: c, 0 to 1.

    Raises:
        ConfigError: The range is none.
        DataError: The shapes differ.
    """
    import torch

    if not 0 < clip_range < 1:
        raise ConfigError(
            f"`clip_range` got {clip_range!r}; expected between 0 and 1. The references take {CLIP_RANGE:g}."
        )
    if not advantages.shape == log_prob.shape == old_log_prob.shape or advantages.ndim != 1:
        raise DataError(
            f"`advantages`, `log_prob` and `old_log_prob` have shapes {tuple(advantages.shape)}, "
            f"{tuple(log_prob.shape)} and {tuple(old_log_prob.shape)}; expected one number a sample. Pass a step at a "
            "time."
        )
    ratio = (log_prob - old_log_prob).exp()
    return torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip_range, 1 + clip_range))


def reference_penalties(
    mean: "torch.Tensor", reference_mean: "torch.Tensor", diffusion: "torch.Tensor"
) -> "torch.Tensor":
    """Return ``(mean - reference_mean)^2 / (2 g^2)`` of each sample, a mean over its values.

    The divergence of the two steps, times the length of the step: the reference divides by the diffusion, not by the
    deviation.

    Args:
        mean: (B, ...), of the network in training.
        reference_mean: (B, ...).
        diffusion: (B,), g, above 0.

    Returns:
        (B,).

    Raises:
        DataError: The shapes do not fit together.
    """
    if mean.shape != reference_mean.shape:
        raise DataError(
            f"`reference_mean` has shape {tuple(reference_mean.shape)}; expected {tuple(mean.shape)}. Take both steps "
            "from one state."
        )
    squares = mean_of_each((at_least_float32(mean) - at_least_float32(reference_mean)) ** 2)
    return squares / (2 * spread(diffusion, squares) ** 2)


def policy_loss(
    advantages: "torch.Tensor",
    log_prob: "torch.Tensor",
    old_log_prob: "torch.Tensor",
    *,
    clip_range: float = CLIP_RANGE,
    penalty: ReferencePenalty | None = None,
    parts: int = 1,
) -> PolicyLoss:
    """Return the loss of a batch of samples at one step.

    Args:
        advantages: (B,), clamped.
        log_prob: (B,), of the network in training.
        old_log_prob: (B,), when it was sampled.
        clip_range: 0 to 1.
        penalty: For leaving a reference; None leaves it out.
        parts: Number of losses whose gradients are added: batches times steps; this one is divided by it.

    Raises:
        ConfigError: A number is out of its range.
        DataError: The shapes do not fit together.
    """
    if parts < 1 or (penalty is not None and not penalty.beta > 0):
        beta = None if penalty is None else penalty.beta
        raise ConfigError(
            f"`parts` got {parts} and `beta` {beta}; expected 1 or more and a positive number. Leave `penalty` out "
            "where nothing is to hold the network to its reference."
        )
    clipped = clipped_losses(advantages, log_prob, old_log_prob, clip_range=clip_range).mean()
    total, divergence = clipped, None
    if penalty is not None:
        divergence = reference_penalties(penalty.mean, penalty.reference_mean, penalty.diffusion).mean()
        total = clipped + penalty.beta * divergence
    change = (log_prob - old_log_prob).detach()
    excess = change.exp() - 1
    return PolicyLoss(
        loss=total / parts,
        policy_loss=clipped.detach(),
        kl_loss=None if divergence is None else divergence.detach(),
        approx_kl=0.5 * (change**2).mean(),
        clipfrac=_share(excess.abs() > clip_range),
        clipfrac_gt_one=_share(excess > clip_range),
        clipfrac_lt_one=_share(-excess > clip_range),
    )


def _share(those: "torch.Tensor") -> "torch.Tensor":
    return those.float().mean()
