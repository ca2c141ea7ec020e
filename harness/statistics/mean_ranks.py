"""Mean ranks of systems over items, and the groups of systems that cannot be told apart by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import fsum
from typing import Final

import numpy as np

from anisora.harness.errors import MetricError
from anisora.harness.statistics.ranking import shared_items
from anisora.harness.statistics.sign_flips import FLIPS, max_t

__all__ = ["MeanRank", "MeanRanks", "maximal_groups", "mean_ranks"]

_SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanRank:
    """One system in one column."""

    name: str
    rank: float
    """Mean over the shared items of its rank among the systems, 1 the best; equal values share their middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanRanks:
    """One column, best system first."""

    column: str
    systems: tuple[MeanRank, ...]
    groups: tuple[tuple[str, ...], ...]
    """The largest sets of systems of which no two are told apart, best first, without sets of one."""
    items: int
    """Items that all systems have."""
    clusters: int
    left_out: int
    """Items that some system lacks."""
    level: float
    method: str
    """How the tests were made; they are corrected for all pairs of all columns given together."""
    flips: int
    seed: int | None
    """Of the flips; None where all were counted."""


def mean_ranks(
    columns: Mapping[str, Mapping[str, Mapping[str, float]]],
    clusters: Mapping[str, str],
    *,
    lower_is_better: frozenset[str] = frozenset(),
    level: float = 0.95,
    flips: int = FLIPS,
    seed: int = 0,
) -> tuple[MeanRanks, ...]:
    """Rank systems on each item, average over items, and tell which averages differ.

    What Friedman's test with Nemenyi's critical difference (Demšar 2006) does for independent data sets, for items in
    clusters: the difference of two mean ranks is tested by flipping the signs of whole clusters, and all pairs in all
    columns are one family, corrected by ``max_t``. There is no one critical difference, since pairs differ in spread.

    Args:
        columns: {column: {system: {item: finite value}}}; at least two systems in each. Items that a system lacks are
            left out for all.
        clusters: {item: cluster}.
        lower_is_better: Names of the columns whose smaller values are better.
        level: Of all tests together, between 0 and 1.
        flips: Drawn above 14 clusters; at least 1000.
        seed: Of the draws.

    Raises:
        MetricError: A column has fewer than two systems or no shared item, a number is not finite or out of range, or
            an item has no cluster.

    Example:
        >>> values = {"a": {"x": 3.0, "y": 2.0}, "b": {"x": 1.0, "y": 2.0}}
        >>> [found] = mean_ranks({"score": values}, {"x": "x", "y": "y"})
        >>> [(system.name, system.rank) for system in found.systems]
        [('a', 1.25), ('b', 1.75)]
    """
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    unknown = sorted(lower_is_better - columns.keys())
    if unknown:
        raise MetricError(f"`lower_is_better` names {unknown[0]!r}, which is no column; columns: {sorted(columns)}.")
    shared = {column: shared_items(column, systems) for column, systems in columns.items()}
    ranks = {
        column: _item_ranks(column, systems, shared[column], column in lower_is_better)
        for column, systems in columns.items()
    }
    differences = {
        _SEPARATOR.join((column, one, other)): {item: mine[one][item] - mine[other][item] for item in shared[column]}
        for column, mine in ranks.items()
        for one, other in combinations(mine, 2)
    }
    family = max_t(differences, clusters, flips=flips, seed=seed)
    p_values = {test.name: test.adjusted_p for test in family.tests}
    found = []
    for column, mine in ranks.items():
        means = {name: fsum(values.values()) / len(values) for name, values in mine.items()}
        order = sorted(means, key=lambda name: (means[name], name))
        told_apart = {
            frozenset(pair)
            for pair in combinations(mine, 2)
            if (p := p_values[_SEPARATOR.join((column, *pair))]) is not None and p < 1 - level
        }
        found.append(
            MeanRanks(
                column=column,
                systems=tuple(MeanRank(name=name, rank=means[name]) for name in order),
                groups=maximal_groups(order, told_apart),
                items=len(shared[column]),
                clusters=len({clusters[item] for item in shared[column]}),
                left_out=len(set().union(*columns[column].values())) - len(shared[column]),
                level=level,
                method=family.method,
                flips=family.flips,
                seed=family.seed,
            )
        )
    return tuple(found)


def maximal_groups(names: Sequence[str], told_apart: set[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the largest sets of names of which no two are told apart, without sets of one.

    A set need not be a run of neighbours: the first and the third may be alike where the second, of smaller spread,
    differs from one of them.

    Args:
        names: In the order wanted.
        told_apart: Pairs.

    Example:
        >>> maximal_groups("abcd", {frozenset("ac"), frozenset("ad")})
        (('a', 'b'), ('b', 'c', 'd'))
    """
    groups: list[tuple[str, ...]] = []

    def grow(chosen: tuple[str, ...], left: list[str], done: list[str]) -> None:  # Bron and Kerbosch 1973
        if not left and not done and len(chosen) > 1:
            groups.append(chosen)
        for at, name in enumerate(left):
            alike = [other for other in left[at + 1 :] if frozenset((name, other)) not in told_apart]
            seen = [other for other in (*done, *left[:at]) if frozenset((name, other)) not in told_apart]
            grow((*chosen, name), alike, seen)

    grow((), list(names), [])
    places = {name: place for place, name in enumerate(names)}
    return tuple(sorted(groups, key=lambda group: [places[name] for name in group]))


def _item_ranks(
    column: str, systems: Mapping[str, Mapping[str, float]], items: Sequence[str], lower_is_better: bool
) -> dict[str, dict[str, float]]:
    """Return {system: {item: rank}}, 1 the best, equal values sharing their middle."""
    values = np.array([[systems[name][item] for item in items] for name in systems], np.float64)  # (systems, items)
    if not np.isfinite(values).all():
        raise MetricError(f"Column {column!r} has a value that is not finite; expected finite ones only.")
    goodness = -values if lower_is_better else values
    better = (goodness[None] > goodness[:, None]).sum(axis=1)  # (systems, items): how many are better
    alike = (goodness[None] == goodness[:, None]).sum(axis=1)  # itself among them
    ranks = better + (alike + 1) / 2
    return {name: dict(zip(items, row, strict=True)) for name, row in zip(systems, ranks.tolist(), strict=True)}
