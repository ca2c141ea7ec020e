"""Ranks of systems with what is sure about them: who is tied with the best, and between which ranks each lies."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.sign_flips import FLIPS, max_t

__all__ = ["RankedSystem", "Ranking", "rank_columns", "ranks_of", "shared_items"]

_SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSystem:
    """One system in one column."""

    name: str
    value: float
    """Mean over the items that all systems have."""
    rank: int
    """1 is best; equal means share the smaller rank."""
    rank_low: int
    """1 and one more for each system that is surely better."""
    rank_high: int
    """The number of systems, less one for each that is surely worse."""
    is_tied_with_best: bool
    """Not surely worse than the best; the best itself is."""
    p_against_best: float | None
    """Corrected; None of the best itself and where no test could be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """One column, best system first."""

    column: str
    systems: tuple[RankedSystem, ...]
    items: int
    """Items that all systems have."""
    left_out: int
    """Items that some system lacks."""
    level: float
    method: str
    """How the tests were made; they are corrected for all pairs of all columns ranked together."""
    seed: int | None


def rank_columns(
    columns: Mapping[str, Mapping[str, Mapping[str, float]]],
    clusters: Mapping[str, str],
    *,
    lower_is_better: frozenset[str] = frozenset(),
    level: float = 0.95,
    flips: int = FLIPS,
    seed: int = 0,
) -> tuple[Ranking, ...]:
    """Rank systems in each column, with tie groups and simultaneous rank intervals.

    All pairs of systems in all columns are one family of paired tests, corrected by ``max_t``. With probability
    ``level`` all rank intervals hold together: a system is no better than the number of those surely better allows,
    and no worse than the number of those surely worse (Al Mohamad, Goeman and van Zwet 2018).

    Args:
        columns: {column: {system: {item: finite value}}}; at least two systems in each. Items that a system lacks are
            left out for all.
        clusters: {item: cluster}.
        lower_is_better: Names of the columns whose smaller values are better.
        level: Of all rank intervals together, between 0 and 1.
        flips: Drawn above 14 clusters; at least 1000.
        seed: Of the draws.

    Raises:
        MetricError: A column has fewer than two systems or no shared item, a number is not finite or out of range, or
            an item has no cluster.
    """
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    unknown = sorted(lower_is_better - columns.keys())
    if unknown:
        raise MetricError(f"`lower_is_better` names {unknown[0]!r}, which is no column; columns: {sorted(columns)}.")
    shared = {column: shared_items(column, systems) for column, systems in columns.items()}
    differences = {
        _SEPARATOR.join((column, one, other)): {
            item: systems[one][item] - systems[other][item] for item in shared[column]
        }
        for column, systems in columns.items()
        for one, other in combinations(systems, 2)
    }
    family = max_t(differences, clusters, flips=flips, seed=seed)
    p_values = {test.name: test.adjusted_p for test in family.tests}
    return tuple(
        Ranking(
            column=column,
            systems=_ranked(column, systems, shared[column], p_values, column in lower_is_better, 1 - level),
            items=len(shared[column]),
            left_out=len(set().union(*systems.values())) - len(shared[column]),
            level=level,
            method=family.method,
            seed=family.seed,
        )
        for column, systems in columns.items()
    )


def ranks_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return ranks along the last axis, 1 for the greatest; equal values share the smallest of their ranks.

    Example:
        >>> ranks_of(np.array([0.5, 0.9, 0.5])).tolist()
        [2, 1, 2]
    """
    return np.asarray((values[..., None, :] > values[..., :, None]).sum(axis=-1) + 1, np.int64)


def shared_items(column: str, systems: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the items that all systems of a column have, sorted.

    Raises:
        MetricError: There is none, or there are fewer than two systems.
    """
    if len(systems) < 2:
        raise MetricError(f"Column {column!r} has {len(systems)} systems; expected at least two to rank.")
    shared = sorted(set.intersection(*(set(values) for values in systems.values())))
    if not shared:
        raise MetricError(f"Column {column!r} has no item that all of {sorted(systems)} have; expected at least one.")
    return shared


def _ranked(
    column: str,
    systems: Mapping[str, Mapping[str, float]],
    shared: list[str],
    p_values: Mapping[str, float | None],
    lower_is_better: bool,
    error: float,
) -> tuple[RankedSystem, ...]:
    names = list(systems)
    means = np.array([math.fsum(systems[name][item] for item in shared) / len(shared) for name in names])
    goodness = -means if lower_is_better else means
    ranks = ranks_of(goodness)
    best = int(np.argmax(goodness))
    adjusted: dict[tuple[int, int], float | None] = {}
    for (one, left), (other, right) in combinations(enumerate(names), 2):
        adjusted[one, other] = adjusted[other, one] = p_values[_SEPARATOR.join((column, left, right))]

    def surely_better(one: int, other: int) -> bool:
        p_value = adjusted[one, other]
        return p_value is not None and p_value < error and bool(goodness[one] > goodness[other])

    found = []
    for at, name in enumerate(names):
        others = [other for other in range(len(names)) if other != at]
        found.append(
            RankedSystem(
                name=name,
                value=float(means[at]),
                rank=int(ranks[at]),
                rank_low=1 + sum(surely_better(other, at) for other in others),
                rank_high=len(names) - sum(surely_better(at, other) for other in others),
                is_tied_with_best=at == best or not surely_better(best, at),
                p_against_best=None if at == best else adjusted[best, at],
            )
        )
    return tuple(sorted(found, key=lambda system: (system.rank, system.name)))
