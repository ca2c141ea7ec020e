"""What a head is fitted to: ratings, or preferences with ties; their losses, and how good a head is on a part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import DataError, MetricError
from anisora.harness.statistics.agreement_bootstrap import AgreementInterval, agreement_intervals
from anisora.harness.statistics.cluster_bootstrap import DRAWS
from anisora.harness.statistics.rank_correlation import (
    PairwiseAccuracy,
    calibrated_pairwise_accuracy,
    calibrated_preference_accuracy,
    pairwise_accuracy,
    preference_accuracy,
    spearman,
)
from anisora.reward.agreement import judged_intervals

__all__ = [
    "PARTS",
    "FitOptions",
    "Pair",
    "PairProblem",
    "PairQuality",
    "Part",
    "PartQuality",
    "RatingProblem",
    "Rows",
]

Part = Literal["train", "validation", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "validation", "test")

_NEVER: Final = -1e9
"""Logarithm of nu that leaves no chance of a tie."""
_Floats = NDArray[np.float64]
Pair = tuple[int, int, int]
"""(row of left, row of right, outcome): 1 where left is preferred, -1 where right is, 0 for a tie."""

Rows = Mapping[Part, NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How a head is fitted."""

    seed: int = 0
    """Of the split and of the bootstrap."""
    ridge: float = 0.1
    """Times half the sum of squared weights, added to the mean loss of a clip or pair."""
    steps: int = 500
    """At most, of L-BFGS."""
    patience: int = 20
    """Steps without a lower loss of the validation part after which it stops."""
    draws: int = DRAWS

    def __post_init__(self) -> None:
        """Refuse numbers that are out of range."""
        if not (math.isfinite(self.ridge) and self.ridge >= 0) or self.steps < 1 or self.patience < 1 or self.seed < 0:
            raise MetricError(
                f"`FitOptions` got ridge={self.ridge!r}, steps={self.steps}, patience={self.patience}, "
                f"seed={self.seed}; expected a finite ridge and a seed of at least 0, steps and patience of at least 1."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartQuality:
    """How a head does on one part."""

    clips: int
    groups: int
    pairs: int
    loss: float
    """Mean squared error of ratings / 2, or negative log likelihood of a pair, without the ridge."""
    spearman: float | None
    """None where people judged pairs."""
    everywhere: "PairQuality"
    """Over all pairs of clips, or over the judged ones."""
    within: "PairQuality"
    """Over pairs of one group alone: two clips from one first frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairQuality:
    """In how many pairs a head says what people say."""

    strict: PairwiseAccuracy
    """A tie of the head is equal numbers: its ``without_ties`` is the pairwise accuracy."""
    tied: PairwiseAccuracy
    """A tie of the head is a difference within the threshold fitted to the validation part, for ``with_ties``."""
    accuracy: AgreementInterval
    """Of ``strict.without_ties``."""
    accuracy_with_ties: AgreementInterval
    """Of ``tied.with_ties``."""


class RatingProblem:
    """Parameters: weights, then the bias."""

    dropped = 0

    def __init__(self, z: _Floats, ratings: _Floats) -> None:
        self._z, self._ratings = z, ratings

    def start(self, rows: Rows) -> _Floats:
        """Return the parameters from which the descent starts, a head that says the same of every clip."""
        return np.append(np.zeros(self._z.shape[1]), self._ratings[rows["train"]].mean())

    def loss(self, parameters: _Floats, rows: NDArray[np.int64]) -> tuple[float, _Floats]:
        """Return the mean loss of some rows and its gradient, without the ridge."""
        z = self._z[rows]
        error = z @ parameters[:-1] + parameters[-1] - self._ratings[rows]
        return float(error @ error / (2 * len(rows))), np.append(z.T @ error, error.sum()) / len(rows)

    def unpacked(self, parameters: _Floats) -> tuple[_Floats, float, float | None]:
        """Return weights, bias and, of a model with ties, the logarithm of nu."""
        return parameters[:-1], float(parameters[-1]), None

    def free(self) -> int:
        """Return how many of the last parameters the ridge does not touch."""
        return 1

    def threshold(self, scores: _Floats, rows: NDArray[np.int64]) -> float:
        """Return the difference up to which scores are best called a tie, by some rows."""
        return calibrated_pairwise_accuracy(self._ratings[rows].tolist(), scores[rows].tolist()).tie_threshold

    def quality(
        self,
        scores: _Floats,
        parameters: _Floats,
        rows: NDArray[np.int64],
        groups: NDArray[np.str_],
        threshold: float,
        options: FitOptions,
    ) -> PartQuality:
        """Measure scores on some rows."""
        people, mine, names = self._ratings[rows].tolist(), scores[rows].tolist(), groups[rows].tolist()
        draws, seed = options.draws, options.seed
        everywhere = PairQuality(
            strict=pairwise_accuracy(people, mine),
            tied=pairwise_accuracy(people, mine, tie_threshold=threshold),
            accuracy=agreement_intervals(people, mine, names, draws=draws, seed=seed)["accuracy"],
            accuracy_with_ties=agreement_intervals(
                people, mine, names, tie_threshold=threshold, draws=draws, seed=seed
            )["accuracy_with_ties"],
        )
        return PartQuality(
            clips=len(rows),
            groups=len(set(names)),
            pairs=everywhere.strict.pairs,
            loss=self.loss(parameters, rows)[0],
            spearman=spearman(people, mine).value,
            everywhere=everywhere,
            within=_judged_quality(*_within(people, mine, names), threshold),
        )


def _within(
    people: Sequence[float], scores: Sequence[float], groups: Sequence[str]
) -> tuple[list[int], list[float], list[str]]:
    """Return outcome, difference of scores and group of all pairs of clips of one group."""
    members: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        members.setdefault(group, []).append(at)
    told, differences, clusters = [], [], []
    for group, rows in members.items():
        for place, left in enumerate(rows):
            for right in rows[place + 1 :]:
                told.append((people[left] > people[right]) - (people[left] < people[right]))
                differences.append(scores[left] - scores[right])
                clusters.append(group)
    return told, differences, clusters


def _judged_quality(
    told: Sequence[int], differences: Sequence[float], clusters: Sequence[str], threshold: float
) -> PairQuality:
    tied = judged_intervals(told, differences, clusters, tie_threshold=threshold)
    return PairQuality(
        strict=preference_accuracy(told, differences),
        tied=preference_accuracy(told, differences, tie_threshold=threshold),
        accuracy=judged_intervals(told, differences, clusters)["accuracy"],
        accuracy_with_ties=tied["accuracy_with_ties"],
    )


class PairProblem:
    """Parameters: weights, then the logarithm of nu where there are ties in training."""

    def __init__(self, z: _Floats, pairs: Sequence[Pair], parts: Sequence[Part]) -> None:
        kept = [pair for pair in pairs if parts[pair[0]] == parts[pair[1]]]
        self.dropped = len(pairs) - len(kept)
        self._left, self._right, self._outcome = np.array(kept, np.int64).reshape(-1, 3).T
        self._d = z[self._left] - z[self._right]
        self._has_ties = any(outcome == 0 and parts[left] == "train" for left, _, outcome in kept)

    def start(self, rows: Rows) -> _Floats:
        """Return the parameters from which the descent starts, a head that says the same of every clip."""
        for part in PARTS:
            if not len(self._of(rows[part])):
                raise DataError(
                    f"No judged pair has both clips in the {part} part; expected pairs of clips of one item or first "
                    "frame; judge more of them."
                )
        return np.zeros(self._d.shape[1] + self.free())

    def free(self) -> int:
        """Return how many of the last parameters the ridge does not touch."""
        return int(self._has_ties)

    def _of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(self._left, rows))

    def loss(self, parameters: _Floats, rows: NDArray[np.int64]) -> tuple[float, _Floats]:
        """Return the mean loss of some rows and its gradient, without the ridge."""
        from scipy.special import logsumexp

        at = self._of(rows)
        outcome = self._outcome[at]
        if not self._has_ties:  # a tie counts as half a win of each
            parameters = np.append(parameters, _NEVER)
        half = self._d[at] @ parameters[:-1] / 2
        logits = np.stack([half, -half, np.full_like(half, parameters[-1])])
        total = logsumexp(logits, axis=0)
        share = np.exp(logits - total)
        target = np.stack([outcome == 1, outcome == -1, outcome == 0]).astype(np.float64)
        if not self._has_ties:
            target[0], target[1], target[2] = target[0] + target[2] / 2, target[1] + target[2] / 2, 0.0
        value = float((total - (target * logits).sum(axis=0)).mean())
        pull = share - target
        gradient = self._d[at].T @ ((pull[0] - pull[1]) / 2) / len(at)
        return value, np.append(gradient, pull[2].mean()) if self._has_ties else gradient

    def unpacked(self, parameters: _Floats) -> tuple[_Floats, float, float | None]:
        """Return weights, bias and, of a model with ties, the logarithm of nu."""
        return (parameters[:-1], 0.0, float(parameters[-1])) if self._has_ties else (parameters, 0.0, None)

    def threshold(self, scores: _Floats, rows: NDArray[np.int64]) -> float:
        """Return the difference up to which scores are best called a tie, by some rows."""
        at = self._of(rows)
        differences = scores[self._left[at]] - scores[self._right[at]]
        return calibrated_preference_accuracy(self._outcome[at].tolist(), differences.tolist()).tie_threshold

    def quality(
        self,
        scores: _Floats,
        parameters: _Floats,
        rows: NDArray[np.int64],
        groups: NDArray[np.str_],
        threshold: float,
        options: FitOptions,
    ) -> PartQuality:
        """Measure scores on some rows."""
        at = self._of(rows)
        told = self._outcome[at].tolist()
        differences = (scores[self._left[at]] - scores[self._right[at]]).tolist()
        clusters = groups[self._left[at]].tolist()
        same = [place for place, pair in enumerate(at) if groups[self._left[pair]] == groups[self._right[pair]]]
        chosen = ([told[place] for place in same], [differences[place] for place in same])
        return PartQuality(
            clips=len(rows),
            groups=len(set(groups[rows].tolist())),
            pairs=len(at),
            loss=self.loss(parameters, rows)[0],
            spearman=None,
            everywhere=_judged_quality(told, differences, clusters, threshold),
            within=_judged_quality(*chosen, [clusters[place] for place in same], threshold),
        )
