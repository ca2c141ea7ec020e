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
from anisora.reward.agreement import MOST_CLIPS
from anisora.reward.head_problems import (
    PARTS,
    FitOptions,
    Pair,
    PairProblem,
    Part,
    PartQuality,
    RatingProblem,
    Rows,
)

__all__ = [
    "SHARES",
    "Head",
    "HeadFit",
    "fit_head",
    "grouped_split",
]

SHARES: Final = (0.6, 0.2, 0.2)
"""Of the groups, at least one each."""

_Floats = NDArray[np.float64]


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
class HeadFit:
    """A head, how it was found and how good it is."""

    head: Head
    kind: Literal["ratings", "preferences"]
    steps: int
    """Step whose head was kept: of the lowest loss on the validation part; 0 for a head that says the same of all."""
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
    problem = RatingProblem(z, np.asarray(ratings, np.float64)) if pairs is None else PairProblem(z, pairs, parts)
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


def _descended(problem: RatingProblem | PairProblem, rows: Rows, options: FitOptions) -> tuple[_Floats, int, bool]:
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
