"""Losses of preference pairs: direct preference optimisation of diffusion (DPO), and gap-aware, GAPO, of AniSora.

Let L be the mean squared error of a velocity. A network is to have a smaller one on the winner than on the loser, more
so than the frozen reference has:

    inside = -beta / 2 * ((L_winner - L_loser) - (L_reference_winner - L_reference_loser))
    loss = -log sigmoid(inside) * (base^s_winner - base^s_loser)

The last factor is GAPO's (Zhu et al. 2025, arXiv 2504.10044), for scores s in 0 to 1; without it the loss is DPO's
(Wallace et al. 2023, arXiv 2311.12908, equation 14), which on straight velocities is Flow-DPO (Liu et al. 2025, arXiv
2501.13918). Winner and loser share noise and level.

Reference: anisora_rl/sat/sgm/modules/diffusionmodules/loss.py (VideoDiffusionLoss); flow_grpo's
scripts/train_sd3_dpo.py. The first multiplies the mean over its batch of one by the factor; here each pair has its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from anisora.harness.errors import ConfigError, DataError
from anisora.training.losses.objective import Objective, squared_errors
from anisora.training.per_sample import at_least_float32

if TYPE_CHECKING:
    import torch

__all__ = [
    "FLOW_DPO_BETA",
    "GAPO_BETA",
    "GAP_BASE",
    "SCORE_SCALE",
    "Pair",
    "PreferenceLosses",
    "check_scores",
    "dpo_losses",
    "gap_factors",
    "gapo_losses",
    "halves",
    "pair_errors",
    "with_shared_noise",
]

GAPO_BETA: Final = 5000.0
"""Of AniSora's release, for means of squared errors."""
FLOW_DPO_BETA: Final = 100.0
"""Of flow_grpo."""
GAP_BASE: Final = 2.0
"""Of AniSora's release."""
SCORE_SCALE: Final = 100.0
"""AniSora's preference data has scores from 0 to this."""


class Pair(NamedTuple):
    """Something of the winners, and the same of the losers."""

    winner: "torch.Tensor"
    loser: "torch.Tensor"

    def mapped(self, function: "Callable[[torch.Tensor], torch.Tensor]") -> "Pair":
        """Return what a function makes of both."""
        return Pair(function(self.winner), function(self.loser))


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceLosses:
    """Of each pair of a batch."""

    losses: "torch.Tensor"
    """(B,)."""
    inside: "torch.Tensor"
    """(B,): what the sigmoid is taken of."""

    @property
    def loss(self) -> "torch.Tensor":
        """Their mean."""
        return self.losses.mean()

    @property
    def implicit_accuracy(self) -> "torch.Tensor":
        """Share of pairs that the network tells apart better than the reference does, without gradient."""
        return (self.inside.detach() > 0).to(self.inside.dtype).mean()


def halves(batch: "torch.Tensor") -> Pair:
    """Split a batch whose first half are winners and whose second half, in the same order, are losers.

    Args:
        batch: (2B, ...).

    Raises:
        DataError: The number is odd.
    """
    count, odd = divmod(len(batch), 2)
    if odd or not count:
        raise DataError(f"`batch` has {len(batch)} samples; expected an even number: all winners, then all losers.")
    return Pair(batch[:count], batch[count:])


def with_shared_noise(
    clean: Pair, noise: "torch.Tensor", level: "float | torch.Tensor", objective: Objective
) -> tuple[Pair, Pair]:
    """Noise both clips of each pair with the same noise at the same level.

    Args:
        clean: Latents, each (B, ...).
        noise: (B, ...), standard normal: one a pair.
        level: One number or (B,): one a pair.
        objective: Of the network.

    Returns:
        The noisy latents, and the velocities to predict.

    Raises:
        DataError: Winners, losers and noise differ in shape, or there is not one level a pair.
    """
    if not clean.winner.shape == clean.loser.shape == noise.shape:
        raise DataError(
            f"`clean` has winners of shape {tuple(clean.winner.shape)} and losers of {tuple(clean.loser.shape)} for "
            f"noise of {tuple(noise.shape)}; expected one shape, since a pair shares its noise. Put clips of one size "
            "into a pair."
        )
    noised = clean.mapped(lambda latents: objective.add_noise(latents, noise, level))
    return noised, clean.mapped(lambda latents: objective.target(latents, noise, level))


def pair_errors(predictions: Pair, targets: Pair) -> Pair:
    """Return the mean squared errors of winners and losers, each (B,).

    Args:
        predictions: Velocities that a network predicts, each (B, ...).
        targets: As ``with_shared_noise`` returns them.

    Raises:
        DataError: The shapes differ.
    """
    return Pair(*(squared_errors(ours, target) for ours, target in zip(predictions, targets, strict=True)))


def dpo_losses(policy: Pair, reference: Pair, *, beta: float) -> PreferenceLosses:
    """Return the loss of each pair without the gap factor.

    Args:
        policy: Mean squared errors of the network in training, each (B,).
        reference: The same of the frozen one, without gradient.
        beta: Positive; how far the network may leave the reference: the larger, the less.

    Raises:
        ConfigError: Beta is not positive.
        DataError: The errors are not all (B,).
    """
    from torch.nn.functional import logsigmoid

    if not beta > 0:
        raise ConfigError(f"`beta` got {beta!r}; expected a positive number. AniSora's release takes {GAPO_BETA:g}.")
    shapes = {tuple(errors.shape) for errors in (*policy, *reference)}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise DataError(
            f"Errors have shapes {sorted(shapes)}; expected one number a pair. Take them from pair_errors()."
        )
    change = (policy.winner - policy.loser) - (reference.winner - reference.loser)
    inside = -0.5 * beta * change
    return PreferenceLosses(losses=-logsigmoid(inside), inside=inside)


def gap_factors(scores: Pair, *, base: float = GAP_BASE, scale: float = SCORE_SCALE) -> "torch.Tensor":
    """Return ``base^s_winner - base^s_loser``: how much each pair counts.

    Args:
        scores: Each (B,), from 0 to ``scale``.
        base: Above 1; with 2 and scores of ``scale`` and 0 the factor is 1.
        scale: Positive; scores are divided by it.

    Returns:
        (B,), 0 to ``base - 1``; negative where the winner has the lower score.

    Raises:
        ConfigError: The base is not above 1, or the scale not positive.
    """
    if not base > 1 or not scale > 0:
        raise ConfigError(
            f"`base` got {base!r} and `scale` {scale!r}; expected a base above 1 and a positive scale. AniSora's "
            f"release takes {GAP_BASE:g} and {SCORE_SCALE:g}."
        )
    winner, loser = scores.mapped(lambda each: base ** (at_least_float32(each) / scale))
    return winner - loser


def check_scores(scores: Pair, *, scale: float = SCORE_SCALE) -> None:
    """Refuse scores that are not of a winner and a loser.

    A pair of equal scores trains nothing, and one in the wrong order trains the opposite.

    Args:
        scores: Each (B,).
        scale: The highest score.

    Raises:
        DataError: A winner does not have the higher score, or a score is not within 0 to ``scale``.
    """
    for place, (winner, loser) in enumerate(zip(scores.winner.tolist(), scores.loser.tolist(), strict=True)):
        if not 0 <= loser < winner <= scale:
            raise DataError(
                f"Pair {place} has `w_score` {winner:g} and `l_score` {loser:g}; expected 0 <= l_score < w_score <= "
                f"{scale:g}. Swap the two, or leave the pair out."
            )


def gapo_losses(
    policy: Pair,
    reference: Pair,
    scores: Pair,
    *,
    beta: float = GAPO_BETA,
    base: float | None = GAP_BASE,
    scale: float = SCORE_SCALE,
    are_scores_checked: bool = True,
) -> PreferenceLosses:
    """Return the loss of each pair, with the gap factor of its scores.

    Args:
        policy: Mean squared errors of the network in training, each (B,).
        reference: The same of the frozen one, without gradient.
        scores: Of the clips, each (B,), from 0 to ``scale``.
        beta: Positive.
        base: Above 1; None leaves the factor out, which is DPO.
        scale: The highest score.
        are_scores_checked: Whether pairs that are not in order are refused; the reference takes them, with a factor
            that is not positive.

    Raises:
        ConfigError: A number is out of its range.
        DataError: The errors are not all (B,), or a winner does not have the higher score.
    """
    plain = dpo_losses(policy, reference, beta=beta)
    if are_scores_checked:
        check_scores(scores, scale=scale)
    if base is None:
        return plain
    factors = gap_factors(scores, base=base, scale=scale).to(plain.losses)
    return PreferenceLosses(losses=plain.losses * factors, inside=plain.inside)
