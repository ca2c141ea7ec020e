"""A part of a suite instead of all of it: the draw by label, and what it tells about the whole."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_variance import t_quantile

__all__ = ["StratumSums", "SubsetEstimate", "stratified_mean", "stratified_sample", "stratified_variance"]

_METHOD = "stratified t, finite population"
_POOLED_DEGREES: Final = 6
"""From so many degrees of freedom on, labels of one sampled item take the spread that the other labels show."""
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetEstimate:
    """An estimate of the mean over the whole suite from a part of it."""

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    level: float
    degrees: float | None
    """Degrees of freedom; None where there is no interval or the subset is the suite."""
    method: str
    note: str
    """Why there is no interval, or how labels of fewer than two sampled items were treated."""
    sampled: int
    population: int
    strata: int
    """Groups of labels after joining."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumSums:
    """What the variance needs of each stratum; arrays are (..., strata)."""

    sampled: _Floats
    """Items, at least 1; in some stratum at least 2, unless all of one item are whole."""
    population: _Floats
    squares: _Floats
    """Mean of ``(y - mean of the stratum)^2`` over the sampled items, with ``n - 1`` in the denominator; 0 of one."""


def stratified_sample(labels: Mapping[str, str], size: int, seed: int = 0) -> tuple[str, ...]:
    """Draw items so that every label has its share.

    Each label gets ``size * n_label / n`` items, rounded down, and the largest remainders one more (Hamilton's method),
    but at least one wherever ``size`` is at least the number of labels. Within a label items are drawn without
    replacement. Neither the order of items nor that of labels changes the draw.

    Args:
        labels: {item: label}.
        size: Items to draw, from 1 to all.
        seed: Of the draw.

    Returns:
        Items in the order of their names.

    Raises:
        MetricError: The size is out of range.

    Example:
        >>> stratified_sample({"a1": "a", "a2": "a", "b1": "b", "b2": "b"}, 2, seed=1)
        ('a1', 'b1')
    """
    if not 1 <= size <= len(labels):
        raise MetricError(f"`size` got {size!r}; expected from 1 to the {len(labels)} items there are.")
    members: dict[str, list[str]] = {}
    for item in sorted(labels):
        members.setdefault(labels[item], []).append(item)
    names = sorted(members)
    allocation = _allocation([len(members[name]) for name in names], size)
    generator = np.random.default_rng(seed)
    drawn: list[str] = []
    for name, count in zip(names, allocation, strict=True):
        order = generator.permutation(len(members[name]))[:count]  # all are shuffled, whatever is taken
        drawn += [members[name][at] for at in order]
    return tuple(sorted(drawn))


def stratified_mean(
    values: Mapping[str, float],
    labels: Mapping[str, str],
    population: Mapping[str, int],
    level: float = 0.95,
) -> SubsetEstimate:
    """Estimate the mean over a whole suite from items drawn by label.

    ``m = sum_h N_h mean_h / N`` with variance ``sum_h (N_h / N)^2 (1 - n_h / N_h) s_h^2 / n_h`` (Cochran 1977,
    chapter 5) and degrees of freedom of ``stratified_variance``. It is about the items of this suite and no others; the
    part that was scored is known, so that the interval shrinks to nothing as the subset grows to the suite.

    Labels of one sampled item take the spread within labels that the others show, where those have six degrees of
    freedom or more. Elsewhere labels of fewer than two sampled items are joined, those of like size first (collapsed
    strata, Wolter 2007), which makes the interval rather too wide: their difference counts as spread. A label without
    sampled items is represented by those it is joined with. The note says all this.

    Args:
        values: {sampled item: finite value}.
        labels: {item: label} of at least these.
        population: {label: items in the whole suite}, at least those sampled.
        level: Coverage of the interval, between 0 and 1.

    Raises:
        MetricError: Nothing was sampled, an item has no label, a label no count or fewer than were sampled, or a
            number is not finite or out of range.
    """
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    by_label = _by_label(values, labels, population)
    whole = sum(population.values())
    degrees_within = sum(len(scored) - 1 for scored in by_label.values())
    is_pooled = degrees_within >= _POOLED_DEGREES
    groups = _nearest_joined(by_label, population) if is_pooled else _joined(by_label, population)
    means, sums = _group_sums(groups, by_label, population)
    value = math.fsum(mean * count / whole for mean, count in zip(means, sums.population.tolist(), strict=True))
    empty = sum(count > 0 and not by_label.get(label) for label, count in population.items())
    alone = int(((sums.sampled < 2) & (sums.population > 1)).sum())
    joined = sum(count > 0 for count in population.values()) - len(groups)
    notes = []
    if is_pooled and alone:
        notes.append(f"{alone} labels of one item, taken to spread as the others do")
    if not is_pooled and joined:
        notes.append(f"{joined} labels joined with others, for fewer than 2 items each")
    if empty:
        notes.append(f"{empty} labels without items, represented by those they are joined with")
    error = degrees = None
    if alone and not is_pooled:
        notes = [f"{len(values)} sampled items; an interval needs 2 in some label or pair of labels"]
    else:
        variance, freedom = stratified_variance(sums)
        error = math.sqrt(variance)
        degrees = float(freedom) if error > 0 else None
    half = None if error is None else 0.0 if degrees is None else t_quantile(level, degrees) * error
    return SubsetEstimate(
        value=value,
        standard_error=error,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
        level=level,
        degrees=degrees,
        method="" if half is None else _METHOD,
        note="; ".join(notes),
        sampled=len(values),
        population=whole,
        strata=len(groups),
    )


def stratified_variance(sums: StratumSums) -> tuple[_Floats, _Floats]:
    """Return the variance of a stratified mean and its degrees of freedom, both (...).

    ``V = sum_h c_h s_h^2`` with ``c_h = (N_h / N)^2 (1 - n_h / N_h) / n_h``. The ``c`` of strata of one sampled item
    are shared among the others by their degrees of freedom, ``n_h - 1``: the same as giving them the pooled ``s^2``.
    The degrees of freedom are ``V^2 / sum_h(V_h^2 / n_h) - 1``, and at least 1. They lie between Satterthwaite's,
    ``V^2 / sum_h(V_h^2 / (n_h - 1))``, far too few for many strata of two items, and Welch's (1947), with ``n_h + 1``
    and less 2, which takes scores to be normal; one stratum has ``n - 1`` by all three.
    """
    share = sums.population / sums.population.sum(axis=-1, keepdims=True)
    each = share**2 * (1 - sums.sampled / sums.population) / sums.sampled
    is_single = sums.sampled < 2
    free = np.where(is_single, 0.0, sums.sampled - 1)
    lent = np.where(is_single, each, 0.0).sum(axis=-1, keepdims=True)
    pooled = free / np.maximum(free.sum(axis=-1, keepdims=True), 1.0)
    parts = (np.where(is_single, 0.0, each) + lent * pooled) * sums.squares
    variance = parts.sum(axis=-1)
    cost = (parts**2 / sums.sampled).sum(axis=-1)
    return variance, np.where(cost > 0, np.maximum(variance**2 / np.where(cost > 0, cost, 1.0) - 1, 1.0), 1.0)


def _allocation(sizes: list[int], size: int) -> list[int]:
    """Return how many items each label gets."""
    whole = sum(sizes)
    least = 1 if size >= len(sizes) else 0
    exact = [size * count / whole for count in sizes]
    given = [min(count, max(least, size * count // whole)) for count in sizes]
    # The largest remainder gets one more; where the least of one took too many, the smallest gives one back.
    while sum(given) < size:
        given[max((at for at in range(len(sizes)) if given[at] < sizes[at]), key=lambda at: exact[at] - given[at])] += 1
    while sum(given) > size:
        given[min((at for at in range(len(sizes)) if given[at] > least), key=lambda at: exact[at] - given[at])] -= 1
    return given


def _by_label(
    values: Mapping[str, float], labels: Mapping[str, str], population: Mapping[str, int]
) -> dict[str, list[float]]:
    if not values:
        raise MetricError("`values` is empty; expected at least one sampled item.")
    for label, count in population.items():
        if count < 0:
            raise MetricError(f"Label {label!r} got a population of {count!r}; expected at least 0.")
    found: dict[str, list[float]] = {}
    for item in sorted(values):
        if not math.isfinite(values[item]):
            raise MetricError(f"Item {item!r} got {float(values[item])!r}; expected a finite number.")
        if item not in labels:
            raise MetricError(f"Item {item!r} has no label in `labels`; expected one for every item.")
        found.setdefault(labels[item], []).append(float(values[item]))
    for label, scored in found.items():
        if len(scored) > population.get(label, 0):
            raise MetricError(
                f"Label {label!r} has {len(scored)} sampled items of a population of {population.get(label)!r}; "
                "expected at least as many."
            )
    return found


def _joined(by_label: Mapping[str, list[float]], population: Mapping[str, int]) -> list[list[str]]:
    """Return groups of labels of which each has two sampled items or all of its population."""

    def sampled(*group: str) -> int:
        return sum(len(by_label.get(label, ())) for label in group)

    present = [label for _, label in sorted((count, label) for label, count in population.items() if count)]
    alone = [[label] for label in present if sampled(label) >= min(2, population[label])]
    joined: list[list[str]] = []
    waiting: list[str] = []
    for label in present:
        if [label] in alone:
            continue
        waiting.append(label)
        if sampled(*waiting) >= 2:
            joined.append(waiting)
            waiting = []
    if waiting:
        groups = joined or alone
        if not groups:
            return [waiting]
        groups[-1].extend(waiting)
    return alone + joined


def _nearest_joined(by_label: Mapping[str, list[float]], population: Mapping[str, int]) -> list[list[str]]:
    """Return labels alone; one without sampled items is joined with the one nearest in size."""
    present = [label for _, label in sorted((count, label) for label, count in population.items() if count)]
    groups = {label: [label] for label in present if by_label.get(label)}
    for label in present:
        if label not in groups:
            nearest = min(groups, key=lambda other: (abs(population[other] - population[label]), other))
            groups[nearest].append(label)
    return list(groups.values())


def _group_sums(
    groups: list[list[str]], by_label: Mapping[str, list[float]], population: Mapping[str, int]
) -> tuple[list[float], StratumSums]:
    """Return mean and sums of each group; within a group an item counts for its label's share of the population."""
    means, rows = [], []
    for group in groups:
        rated = [
            (value, population[label] / len(by_label[label])) for label in group for value in by_label.get(label, ())
        ]
        count = len(rated)
        total = math.fsum(weight for _, weight in rated)
        mean = math.fsum(weight * value for value, weight in rated) / total
        means.append(mean)
        squares = math.fsum((weight / total * (value - mean)) ** 2 for value, weight in rated)
        rows.append(
            (count, sum(population[label] for label in group), squares * count**2 / (count - 1) if count > 1 else 0.0)
        )
    sampled, whole, squares_of = np.array(rows, np.float64).T
    return means, StratumSums(sampled=sampled, population=whole, squares=squares_of)
