"""Losses of a reward model that is trained on judged pairs of clips, one reward a dimension.

Bradley-Terry with ties gives a tie a likelihood of its own (Rao and Kupper 1967), with k > 1 for how wide it is: for
the difference d of two rewards the first wins with chance ``sigmoid(d - log k)``, and they tie with ``(k^2 - 1) *
sigmoid(d - log k) * sigmoid(-d - log k)``. The others are alternatives of the same release (Liu et al. 2025, arXiv
2501.13918). All means are over every entry, those that a loss leaves out counting as 0.

Reference: KwaiVGI/VideoAlign trainer.py (VideoVLMRewardTrainer.compute_loss), calc_accuracy.py.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.statistics.rank_correlation import PairwiseAccuracy, calibrated_preference_accuracy

if TYPE_CHECKING:
    import torch

__all__ = [
    "FIRST",
    "INVALID",
    "SAME",
    "SECOND",
    "JudgedPairs",
    "bradley_terry_loss",
    "constant_margin_loss",
    "losses_by_name",
    "pair_accuracies",
    "regression_loss",
    "scaled_loss",
    "score_margin_loss",
    "ties_loss",
]

FIRST: Final = 1
SECOND: Final = -1
SAME: Final = 0
INVALID: Final = 22
"""Labels: which clip of a pair is preferred; that of no judgement is the reference's."""
_LABELS: Final = (FIRST, SECOND, SAME, INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPairs:
    """A batch of pairs.

    Raises:
        DataError: The shapes differ, or a label is none of FIRST, SECOND, SAME and INVALID.
    """

    first_rewards: "torch.Tensor"
    """(B, dimensions), of the network."""
    second_rewards: "torch.Tensor"
    """The same of the second clips."""
    labels: "torch.Tensor"
    """(B, dimensions) whole numbers."""
    first_scores: "torch.Tensor | None" = None
    """(B, dimensions), 1 to 5, given by people; not needed by the losses of labels alone."""
    second_scores: "torch.Tensor | None" = None

    def __post_init__(self) -> None:
        for name in ("second_rewards", "labels", "first_scores", "second_scores"):
            values = getattr(self, name)
            if values is not None and values.shape != self.first_rewards.shape:
                raise DataError(
                    f"`{name}` has shape {tuple(values.shape)}; expected {tuple(self.first_rewards.shape)}, that of "
                    "`first_rewards`: a number a pair and dimension."
                )
        unknown = set(self.labels.flatten().tolist()) - set(_LABELS)
        if unknown:
            raise DataError(
                f"`labels` has {min(unknown)!r}; expected {FIRST} for the first clip, {SECOND} for the second, {SAME} "
                f"for a tie or {INVALID} for no judgement."
            )

    @property
    def scores(self) -> "tuple[torch.Tensor, torch.Tensor]":
        """The scores of both.

        Raises:
            DataError: There are none.
        """
        if self.first_scores is None or self.second_scores is None:
            raise DataError(
                "`first_scores` or `second_scores` is None; expected the scores of people, which this loss takes."
            )
        return self.first_scores, self.second_scores

    @property
    def is_decided(self) -> "torch.Tensor":
        """(B, dimensions) of 0 and 1: whether one clip is preferred."""
        return ((self.labels == FIRST) | (self.labels == SECOND)).to(self.first_rewards)

    @property
    def is_tied(self) -> "torch.Tensor":
        """(B, dimensions) of 0 and 1: whether both are judged equal."""
        return (self.labels == SAME).to(self.first_rewards)

    def preferred_less_other(self, first: "torch.Tensor", second: "torch.Tensor") -> "torch.Tensor":
        """Return the difference of the preferred clip's values and the other's; without a preference, one of both."""
        return (first - second) * (self.labels == FIRST).to(first).mul(2).sub(1)

    @property
    def reward_gap(self) -> "torch.Tensor":
        """(B, dimensions): reward of the preferred clip less that of the other."""
        return self.preferred_less_other(self.first_rewards, self.second_rewards)

    @property
    def score_gap(self) -> "torch.Tensor":
        """(B, dimensions): score of the preferred clip less that of the other."""
        return self.preferred_less_other(*self.scores).to(self.first_rewards)


def _win(gap: "torch.Tensor", margin: "float | torch.Tensor" = 0.0) -> "torch.Tensor":
    from torch.nn.functional import logsigmoid

    return -logsigmoid(gap - margin)


def bradley_terry_loss(pairs: JudgedPairs) -> "torch.Tensor":
    """Return the mean of ``-log sigmoid(d)``; ties do not count."""
    return (_win(pairs.reward_gap) * pairs.is_decided).mean()


def ties_loss(pairs: JudgedPairs, *, k: float = 5.0) -> "torch.Tensor":
    """Return the mean negative log-likelihood of Bradley-Terry with ties.

    Args:
        pairs: Judged.
        k: Above 1; the larger, the more ties are expected.

    Raises:
        ConfigError: k is not above 1.
    """
    if not k > 1:
        raise ConfigError(
            f"`k` got {k!r}; expected a number above 1, with which ties have a chance. The release takes 5."
        )
    gap, width = pairs.reward_gap, math.log(k)
    wins = _win(gap, width)
    ties = wins + _win(-gap, width) - math.log(k**2 - 1)
    return (wins * pairs.is_decided + ties * pairs.is_tied).mean()


def constant_margin_loss(pairs: JudgedPairs, *, margin: float = 0.57) -> "torch.Tensor":
    """Return the mean of ``-log sigmoid(d - margin)``; ties do not count.

    Args:
        pairs: Judged.
        margin: By which the preferred clip's reward is to be higher.
    """
    return (_win(pairs.reward_gap, margin) * pairs.is_decided).mean()


def score_margin_loss(pairs: JudgedPairs) -> "torch.Tensor":
    """Return the mean of ``-log sigmoid(d - difference of scores)``; ties do not count.

    Raises:
        DataError: There are no scores.
    """
    return (_win(pairs.reward_gap, pairs.score_gap) * pairs.is_decided).mean()


def scaled_loss(pairs: JudgedPairs) -> "torch.Tensor":
    """Return the mean of ``-log sigmoid(d) * difference of scores``; ties do not count.

    Raises:
        DataError: There are no scores.
    """
    return (_win(pairs.reward_gap) * pairs.score_gap * pairs.is_decided).mean()


def regression_loss(pairs: JudgedPairs, *, middle: float = 3.0) -> "torch.Tensor":
    """Return the mean squared error of rewards against scores, over both clips; labels do not count.

    Args:
        pairs: Judged.
        middle: Taken off the scores.

    Raises:
        DataError: There are no scores.
    """
    first, second = pairs.scores
    first_error, second_error = pairs.first_rewards - (first - middle), pairs.second_rewards - (second - middle)
    return (first_error**2 + second_error**2).mean() / 2


def losses_by_name(*, k: float = 5.0, margin: float = 0.57) -> Mapping[str, Callable[[JudgedPairs], "torch.Tensor"]]:
    """Return every loss under the name that the reference's option has for it.

    Args:
        k: Of ``ties_loss``.
        margin: Of ``constant_margin_loss``.
    """
    return MappingProxyType(
        {
            "bt": bradley_terry_loss,
            "btt": partial(ties_loss, k=k),
            "constant_margin": partial(constant_margin_loss, margin=margin),
            "margin": score_margin_loss,
            "reg": regression_loss,
            "scaled": scaled_loss,
        }
    )


def pair_accuracies(pairs: JudgedPairs) -> list[PairwiseAccuracy]:
    """Return how often the rewards prefer what people prefer, one a dimension, with the best threshold for ties.

    Args:
        pairs: Judged; those without a judgement in a dimension are left out there.

    Raises:
        MetricError: A reward is not finite.
    """
    differences = (pairs.first_rewards - pairs.second_rewards).detach().cpu()
    labels = pairs.labels.cpu()
    found = []
    for dimension in range(labels.shape[1]):
        is_judged = labels[:, dimension] != INVALID
        judged, gaps = (each[is_judged, dimension].tolist() for each in (labels, differences))
        found.append(calibrated_preference_accuracy(judged, gaps))
    return found
