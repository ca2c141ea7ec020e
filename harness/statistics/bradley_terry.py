"""Strengths of systems from votes between pairs of them, as arenas rank, with votes on one prompt kept together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import t_quantile
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS

__all__ = ["BradleyTerry", "OrderEffect", "Strength", "Vote", "arena_ranks", "bradley_terry"]

_STEPS: Final = 100
_CONVERGED: Final = 1e-12
_FARTHEST: Final = 30.0
"""Log odds that no votes can show: the fit runs away."""
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One judgement of one pair."""

    left: str
    right: str
    outcome: float
    """1 where left won, 0 where right did, 0.5 for a tie."""
    cluster: str
    """What votes have in common, such as the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """One system."""

    name: str
    value: float
    """Log odds against the average system; all sum to 0. Elo's scale is ``400 / ln(10)`` times this."""
    standard_error: float | None
    low: float | None
    """None below six clusters."""
    high: float | None
    rank: int | None
    """1 and one more for each system whose interval lies wholly above this one's; None without intervals."""
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEffect:
    """What being shown on the left is worth."""

    value: float
    """Log odds."""
    standard_error: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BradleyTerry:
    """All systems, strongest first."""

    systems: tuple[Strength, ...]
    order_effect: OrderEffect | None
    """None where none was asked for."""
    votes: int
    clusters: int
    level: float
    method: str
    """How the intervals were made; empty where there are none."""
    note: str
    """Why there are none."""


def bradley_terry(
    votes: Sequence[Vote], *, order_effect: bool = False, ridge: float = 0.0, level: float = 0.95
) -> BradleyTerry:
    """Fit strengths such that left beats right with log odds ``strength_left - strength_right``.

    The likelihood of Bradley and Terry (1952), a tie counting as half a win of each. Standard errors are
    cluster-robust, ``H^-1 (sum_c s_c s_c^T) H^-1 G / (G - 1)`` with ``s_c`` the sum of the scores of the votes of a
    cluster: votes on one prompt are no independent ones, and half wins are no coin tosses. Intervals take Student's t
    with ``G - 1`` degrees of freedom.

    Args:
        votes: Any pairs, in any number.
        order_effect: Fit what the left place is worth as well; needs votes with both orders.
        ridge: Added to the likelihood as ``-ridge / 2`` times the sum of squared strengths; a small one, such as 0.01,
            gives a system that never lost a finite strength.
        level: Coverage of the intervals, between 0 and 1.

    Raises:
        MetricError: No votes, a vote of a system with itself or without outcome, a number out of range, or votes that
            leave some strength open: systems that were never compared with the others, or always won or lost.

    Example:
        >>> votes = [Vote(left="a", right="b", outcome=float(at < 3), cluster=str(at)) for at in range(4)]
        >>> found = bradley_terry(votes)  # a won three of four: odds of 3
        >>> round(math.exp(found.systems[0].value - found.systems[1].value), 6)
        3.0
    """
    _check(votes, ridge, level)
    names = sorted({name for vote in votes for name in (vote.left, vote.right)})
    if ridge == 0:
        _check_connected(votes, names)
    design, outcome = _design(votes, names, order_effect=order_effect)
    # The last strength is what makes the sum 0, so that the others are free.
    contrast = np.eye(design.shape[1])[:, [at for at in range(design.shape[1]) if at != len(names) - 1]]
    contrast[len(names) - 1, : len(names) - 1] = -1.0
    penalty = ridge * np.diag([1.0] * len(names) + [0.0] * order_effect)
    free, information, scores = _fitted(design @ contrast, outcome, contrast.T @ penalty @ contrast)
    labels = np.unique([vote.cluster for vote in votes], return_inverse=True)[1]
    groups = int(labels.max()) + 1
    values = contrast @ free
    errors = None if groups < 2 else _errors(contrast, information, scores, labels, groups)
    half = None if errors is None or groups < MIN_CLUSTERS else t_quantile(level, groups - 1) * errors
    bounds = [(None, None)] * len(values) if half is None else list(zip(values - half, values + half, strict=True))
    ranks = None if half is None else arena_ranks((values - half)[: len(names)], (values + half)[: len(names)])
    systems = [
        Strength(
            name=name,
            value=float(values[at]),
            standard_error=None if errors is None else float(errors[at]),
            low=_plain(bounds[at][0]),
            high=_plain(bounds[at][1]),
            rank=None if ranks is None else int(ranks[at]),
            votes=sum(name in (vote.left, vote.right) for vote in votes),
        )
        for at, name in enumerate(names)
    ]
    last = len(names)
    return BradleyTerry(
        systems=tuple(sorted(systems, key=lambda system: (-system.value, system.name))),
        order_effect=OrderEffect(
            value=float(values[last]),
            standard_error=None if errors is None else float(errors[last]),
            low=_plain(bounds[last][0]),
            high=_plain(bounds[last][1]),
        )
        if order_effect
        else None,
        votes=len(votes),
        clusters=groups,
        level=level,
        method="" if half is None else "cluster-robust t",
        note="" if half is not None else f"{groups} cluster{'s' * (groups != 1)}; an interval needs {MIN_CLUSTERS}",
    )


def arena_ranks(low: _Floats, high: _Floats) -> NDArray[np.int64]:
    """Return 1 and one more for each system whose lower end is above this one's upper end.

    Args:
        low: (systems,) lower ends of intervals of what is better when greater.
        high: (systems,) upper ends.

    Example:
        >>> arena_ranks(np.array([5.0, 4.0, 1.0]), np.array([7.0, 6.0, 3.0])).tolist()
        [1, 1, 3]
    """
    return np.asarray((low[None, :] > high[:, None]).sum(axis=1) + 1, np.int64)


def _check(votes: Sequence[Vote], ridge: float, level: float) -> None:
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    if not (math.isfinite(ridge) and ridge >= 0):
        raise MetricError(f"`ridge` got {ridge!r}; expected a finite number of at least 0.")
    if not votes:
        raise MetricError("`votes` is empty; expected at least one vote.")
    for at, vote in enumerate(votes):
        if vote.outcome not in (0, 0.5, 1):
            raise MetricError(f"`votes[{at}].outcome` got {vote.outcome!r}; expected 1, 0 or, for a tie, 0.5.")
        if vote.left == vote.right:
            raise MetricError(f"`votes[{at}]` compares {vote.left!r} with itself; expected two systems.")


def _check_connected(votes: Sequence[Vote], names: Sequence[str]) -> None:
    """Finite strengths need a chain of wins or ties from every system to every other (Ford 1957)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    place = {name: at for at, name in enumerate(names)}
    wins = [(vote.left, vote.right) for vote in votes if vote.outcome > 0]
    wins += [(vote.right, vote.left) for vote in votes if vote.outcome < 1]
    winners, losers = np.array([(place[winner], place[loser]) for winner, loser in wins]).T
    graph = coo_matrix((np.ones(len(wins)), (winners, losers)), shape=(len(names), len(names)))
    count, part = connected_components(graph, directed=True, connection="strong")
    if count > 1:
        apart = [name for name, label in zip(names, part, strict=True) if label == np.bincount(part).argmin()]
        raise MetricError(
            f"Votes do not place {', '.join(map(repr, apart))} against the others: never compared, always better or "
            "always worse. Collect votes between them, or give `ridge`, such as 0.01."
        )


def _design(votes: Sequence[Vote], names: Sequence[str], *, order_effect: bool) -> tuple[_Floats, _Floats]:
    place = {name: at for at, name in enumerate(names)}
    design = np.zeros((len(votes), len(names) + order_effect))
    rows = np.arange(len(votes))
    design[rows, [place[vote.left] for vote in votes]] = 1.0
    design[rows, [place[vote.right] for vote in votes]] = -1.0
    if order_effect:
        design[:, -1] = 1.0
    return design, np.array([vote.outcome for vote in votes], np.float64)


def _fitted(design: _Floats, outcome: _Floats, penalty: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Return coefficients, the information with its penalty, and the scores of all votes, by Newton's method."""
    from scipy.special import expit

    found = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = expit(design @ found)
        information = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        gradient = design.T @ (outcome - chance) - penalty @ found
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            break
        found = found + step
        if np.abs(found).max() > _FARTHEST:
            break
        if np.abs(step).max() < _CONVERGED:
            chance = expit(design @ found)
            information = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
            return found, information, design * (outcome - chance)[:, None]
    raise MetricError(
        "The votes leave a strength or the order effect open, such as where each system stood on one side only. "
        "Collect votes in both orders, or give `ridge`."
    )


def _errors(
    contrast: _Floats, information: _Floats, scores: _Floats, labels: NDArray[np.int64], groups: int
) -> _Floats:
    sums = np.zeros((groups, scores.shape[1]))
    np.add.at(sums, labels, scores)
    bread = np.linalg.inv(information)
    covariance = contrast @ bread @ (sums.T @ sums) @ bread @ contrast.T * groups / (groups - 1)
    return np.sqrt(np.maximum(np.diag(covariance), 0.0))


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)
