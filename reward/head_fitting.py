"""Fits a linear head on frozen features: to ratings by ridge regression, to preferences by Bradley-Terry with ties.

Pure functions over arrays. The split is by group, so that no first frame is on two sides of it; everything that is
drawn comes from one seed, and the same input gives the same bytes.
"""

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
from anisora.reward.agreement import MOST_CLIPS, judged_intervals

__all__ = [
    "PARTS",
    "SHARES",
    "FitOptions",
    "Head",
    "HeadFit",
    "Pair",
    "PairQuality",
    "PartQuality",
    "fit_head",
    "grouped_split",
]

Part = Literal["train", "validation", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "validation", "test")
SHARES: Final = (0.6, 0.2, 0.2)
"""Of the groups, at least one each."""

_NEVER: Final = -1e9
"""Logarithm of nu that leaves no chance of a tie."""
_Floats = NDArray[np.float64]
Pair = tuple[int, int, int]
"""(row of left, row of right, outcome): 1 where left is preferred, -1 where right is, 0 for a tie."""


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
class Head:
    """``score = weight @ ((features - mean) / scale) + bias``."""

    weight: NDArray[np.float32]
    """(D,)"""
    bias: NDArray[np.float32]
    """(1,); 0 where it was fitted to preferences, which do not say where zero is."""
    mean: NDArray[np.float32]
    """(D,) of the training part."""
    scale: NDArray[np.float32]
    """(D,) standard deviation of the training part; 1 where a feature does not vary."""

    def score(self, features: NDArray[np.floating]) -> _Floats:
        """Return (N,) scores of (N, D) features."""
        z = (np.asarray(features, np.float64) - self.mean.astype(np.float64)) / self.scale.astype(np.float64)
        return np.asarray(z @ self.weight.astype(np.float64) + float(self.bias[0]))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadFit:
    """A head, how it was found and how good it is."""

    head: Head
    kind: Literal["ratings", "preferences"]
    steps: int
    """Step whose head was kept: that of the lowest loss on the validation part."""
    stopped_early: bool
    tie_threshold: float
    """Scores that differ by this or less are called a tie; fitted to the validation part."""
    tie_parameter: float | None
    """Davidson's nu: ties are ``nu / (2 + nu)`` of pairs of equal clips; None where there was no tie to fit it to."""
    parts: tuple[Part, ...]
    """Of each row of the features."""
    quality: Mapping[Part, PartQuality]
    dropped_pairs: int
    """Judged pairs whose clips are in different parts."""


def grouped_split(groups: Sequence[str], *, seed: int) -> tuple[Part, ...]:
    """Put whole groups into parts: shuffled by the seed, 60% to train, 20% each to validate and to test.

    Args:
        groups: Of each row.
        seed: Of the shuffle, over the sorted names.

    Returns:
        The part of each row.

    Raises:
        DataError: There are fewer than three groups.
    """
    names = sorted(set(groups))
    if len(names) < len(PARTS):
        raise DataError(
            f"The clips have {len(names)} different first frames or groups; expected at least {len(PARTS)}, one each "
            "to train, to validate and to test; rate clips of more items."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    held = [max(1, round(share * len(names))) for share in SHARES[1:]]
    train = len(names) - sum(held)
    bounds = (train, train + held[0])
    part_of: dict[str, Part] = {}
    for place, at in enumerate(order):
        part_of[names[int(at)]] = PARTS[sum(place >= bound for bound in bounds)]
    return tuple(part_of[group] for group in groups)


def fit_head(
    features: NDArray[np.floating],
    groups: Sequence[str],
    *,
    ratings: Sequence[float] | None = None,
    pairs: Sequence[Pair] | None = None,
    options: FitOptions | None = None,
) -> HeadFit:
    """Fit a linear head with early stopping, and measure it on clips it never saw.

    Ratings: half the mean squared error. Preferences: Davidson's (1970) extension of Bradley and Terry, ``P(left) :
    P(right) : P(tie) = exp(d / 2) : exp(-d / 2) : nu`` with ``d = score_left - score_right``, concave in its
    logarithm; without a tie in training it is plain Bradley-Terry. Both with a ridge, by L-BFGS from zero;
    the head of the step with the lowest loss on the validation part is kept.

    Args:
        features: (N, D) finite float32, frozen.
        groups: The first frame, or other group, of each row.
        ratings: (N,) finite numbers; or
        pairs: judged pairs of rows.
        options: How to fit.

    Raises:
        DataError: Too few groups, or a part without anything to compare.
        MetricError: Shapes differ, a number is not finite, or not exactly one of ratings and pairs is given.
    """
    options = options or FitOptions()
    x = _checked(features, groups, ratings, pairs)
    parts = grouped_split(groups, seed=options.seed)
    rows = {part: np.array([at for at, mine in enumerate(parts) if mine == part], np.int64) for part in PARTS}
    train = x[rows["train"]]
    mean, spread = train.mean(axis=0), train.std(axis=0)
    scale = np.where(spread > 1e-6 * (1 + np.abs(mean)), spread, 1.0)
    # The head is stored in float32, so it is fitted to what those constants make of the features.
    mean, scale = mean.astype(np.float32), scale.astype(np.float32)
    z = (x - mean.astype(np.float64)) / scale.astype(np.float64)
    problem = _RatingProblem(z, np.asarray(ratings, np.float64)) if pairs is None else _PairProblem(z, pairs, parts)
    fitted, steps, early = _descended(problem, rows, options)
    weight, bias, log_nu = problem.unpacked(fitted)
    head = Head(weight=weight.astype(np.float32), bias=np.array([bias], np.float32), mean=mean, scale=scale)
    scores = head.score(x)
    threshold = problem.threshold(scores, rows["validation"])
    names = np.asarray(groups, dtype=str)
    return HeadFit(
        head=head,
        kind="ratings" if pairs is None else "preferences",
        steps=steps,
        stopped_early=early,
        tie_threshold=threshold,
        tie_parameter=None if log_nu is None else math.exp(log_nu),
        parts=parts,
        quality={part: problem.quality(scores, fitted, rows[part], names, threshold, options) for part in PARTS},
        dropped_pairs=problem.dropped,
    )


def _checked(
    features: NDArray[np.floating],
    groups: Sequence[str],
    ratings: Sequence[float] | None,
    pairs: Sequence[Pair] | None,
) -> _Floats:
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or not x.size or len(groups) != len(x):
        raise MetricError(f"`features` got {x.shape} for {len(groups)} groups; expected (N, D) and a group a row.")
    if not np.isfinite(x).all():
        raise MetricError("`features` has a number that is not finite; leave such clips out.")
    if (ratings is None) == (pairs is None):
        raise MetricError("`ratings` and `pairs`: expected exactly one of them.")
    if ratings is not None and (len(ratings) != len(x) or not all(map(math.isfinite, ratings))):
        raise MetricError(f"`ratings` got {len(ratings)} numbers for {len(x)} rows; expected one finite number a row.")
    for left, right, outcome in pairs or ():
        if not (0 <= left < len(x) and 0 <= right < len(x)) or left == right or outcome not in (-1, 0, 1):
            raise MetricError(
                f"`pairs` has {(left, right, outcome)!r}; expected two rows below {len(x)} and 1, 0 or -1."
            )
    if len(x) > MOST_CLIPS:
        raise DataError(f"{len(x)} clips are to be fitted to; expected at most {MOST_CLIPS}; draw some of them.")
    return x


Rows = Mapping[Part, NDArray[np.int64]]


class _RatingProblem:
    """Parameters: weights, then the bias."""

    dropped = 0

    def __init__(self, z: _Floats, ratings: _Floats) -> None:
        self._z, self._ratings = z, ratings

    def start(self, rows: "Rows") -> _Floats:
        return np.append(np.zeros(self._z.shape[1]), self._ratings[rows["train"]].mean())

    def loss(self, parameters: _Floats, rows: NDArray[np.int64]) -> tuple[float, _Floats]:
        z = self._z[rows]
        error = z @ parameters[:-1] + parameters[-1] - self._ratings[rows]
        return float(error @ error / (2 * len(rows))), np.append(z.T @ error, error.sum()) / len(rows)

    def unpacked(self, parameters: _Floats) -> tuple[_Floats, float, float | None]:
        return parameters[:-1], float(parameters[-1]), None

    def free(self) -> int:
        """Return how many of the last parameters the ridge does not touch."""
        return 1

    def threshold(self, scores: _Floats, rows: NDArray[np.int64]) -> float:
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


class _PairProblem:
    """Parameters: weights, then the logarithm of nu where there are ties in training."""

    def __init__(self, z: _Floats, pairs: Sequence[Pair], parts: Sequence[Part]) -> None:
        kept = [pair for pair in pairs if parts[pair[0]] == parts[pair[1]]]
        self.dropped = len(pairs) - len(kept)
        self._left, self._right, self._outcome = np.array(kept, np.int64).reshape(-1, 3).T
        self._d = z[self._left] - z[self._right]
        self._has_ties = any(outcome == 0 and parts[left] == "train" for left, _, outcome in kept)

    def start(self, rows: "Rows") -> _Floats:
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
        return (parameters[:-1], 0.0, float(parameters[-1])) if self._has_ties else (parameters, 0.0, None)

    def threshold(self, scores: _Floats, rows: NDArray[np.int64]) -> float:
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


def _descended(problem: _RatingProblem | _PairProblem, rows: Rows, options: FitOptions) -> tuple[_Floats, int, bool]:
    """Return the parameters of the lowest validation loss, their step, and whether patience ran out."""
    from scipy.optimize import minimize

    start = problem.start(rows)
    ridged = np.ones(len(start))
    ridged[len(start) - problem.free() :] = 0.0

    def objective(parameters: _Floats) -> tuple[float, _Floats]:
        value, gradient = problem.loss(parameters, rows["train"])
        own = ridged * parameters
        return value + options.ridge / 2 * float(own @ own), gradient + options.ridge * own

    best = (problem.loss(start, rows["validation"])[0], start.copy(), 0)
    step = 0
    early = False

    def watch(intermediate_result: object) -> None:
        nonlocal best, step, early
        step += 1
        parameters = np.array(getattr(intermediate_result, "x"), np.float64)  # noqa: B009 - scipy's class has no stubs
        loss = problem.loss(parameters, rows["validation"])[0]
        if loss < best[0]:
            best = (loss, parameters, step)
        elif step - best[2] >= options.patience:
            early = True
            raise StopIteration

    minimize(objective, start, jac=True, method="L-BFGS-B", callback=watch, options={"maxiter": options.steps})
    return best[1], best[2], early
