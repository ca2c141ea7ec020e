"""Totals over several columns: their intervals, their ranks, and how much the ranks owe to the weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.statistics.cluster_bootstrap import (
    DRAWS,
    BootstrapEstimate,
    bca_bounds,
    checked_draws,
    resampled_counts,
    too_few,
)
from anisora.harness.statistics.cluster_table import ClusterTable, cluster_table
from anisora.harness.statistics.ranking import ranks_of

__all__ = ["CompositeTotals", "RankStability", "Scale", "composite_totals", "rank_stability"]

_METHOD = "BCa cluster bootstrap of the whole total"
_SEPARATOR = "\x1f"
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How a column enters a total: ``weight * (mean - minimum) / (maximum - minimum)``."""

    minimum: float
    """Of the column's own unit, such as VBench's published constants."""
    maximum: float
    """Other than the minimum; below it where smaller values are better."""
    weight: float = 1.0
    """At least 0; weights are divided by their sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeTotals:
    """Totals of systems by the same resampled clusters."""

    totals: dict[str, BootstrapEstimate]
    ranks: dict[str, tuple[int, int]]
    """Lowest and highest rank, 1 best, of each system in the middle ``level`` of the draws; empty without draws."""
    draws: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RankStability:
    """The ranks of one system under random weights."""

    rank: int
    """With equal weights; 1 is best."""
    rank_low: int
    """Best rank in the middle ``level`` of the draws."""
    rank_high: int
    best_share: float
    """Share of draws in which it is best, alone or with others, 0..1."""


def composite_totals(
    systems: Mapping[str, Mapping[str, Mapping[str, float]]],
    clusters: Mapping[str, str],
    scales: Mapping[str, Scale],
    level: float = 0.95,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> CompositeTotals:
    """Compute weighted totals of normalised column means, resampled from end to end.

    Each draw takes whole clusters, all systems and columns of them together; means, normalisation and total are made
    anew, so that correlation of columns is kept. Intervals are those of ``bootstrap_mean``.

    Args:
        systems: {system: {column: {item: finite value}}}. All columns of ``scales`` must be there; others are ignored.
        clusters: {item: cluster}.
        scales: {column: how it enters}.
        level: Coverage of the intervals, between 0 and 1.
        draws: At least 1000.
        seed: Of the draws.

    Returns:
        Totals of 0..1 for means within the constants. Without intervals, and with a note, where a column has items in
        fewer than ``BOOTSTRAP_CLUSTERS`` clusters.

    Raises:
        MetricError: A column is missing or empty (it never counts as zero), a constant or weight is out of range, a
            number is not finite, or an item has no cluster.
    """
    checked_draws(draws)
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    _check_scales(scales)
    for name, columns in systems.items():
        missing = [column for column in scales if not columns.get(column)]
        if missing:
            raise MetricError(f"System {name!r} has no values of {missing}; a total needs every column.")
    if not systems:
        return CompositeTotals(totals={}, ranks={}, draws=0, seed=seed)
    flat = {f"{name}{_SEPARATOR}{column}": columns[column] for name, columns in systems.items() for column in scales}
    table = cluster_table(flat, clusters)
    values = _totals(table.means[None, :], scales)[0]
    fewest = int((table.counts > 0).sum(axis=0).min())
    note = too_few(fewest)
    found = None if note else _resampled(table, scales, draws, seed)
    bounds = None if found is None else bca_bounds(found, values, _totals(_left_out(table), scales), level)
    counts = table.counts.sum(axis=0).reshape(len(systems), len(scales)).sum(axis=1)
    totals = {
        name: BootstrapEstimate(
            value=float(values[at]),
            standard_error=None if bounds is None else float(bounds[2][at]),
            low=None if bounds is None else float(bounds[0][at]),
            high=None if bounds is None else float(bounds[1][at]),
            level=level,
            method="" if bounds is None else _METHOD,
            note=note,
            count=int(counts[at]),
            clusters=table.clusters,
            draws=0 if bounds is None else draws,
            seed=seed,
        )
        for at, name in enumerate(systems)
    }
    ranges = {} if found is None else _rank_ranges(list(systems), ranks_of(found), level)
    return CompositeTotals(totals=totals, ranks=ranges, draws=0 if found is None else draws, seed=seed)


def rank_stability(
    normalised: Mapping[str, Mapping[str, float]],
    *,
    concentration: float = 1.0,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, RankStability]:
    """Rank systems by totals under random weights of the columns.

    Weights are drawn from a symmetrical Dirichlet distribution: with ``concentration`` 1 all weightings are equally
    likely; with a greater one they stay nearer to equal weights.

    Args:
        normalised: {system: {column: finite mean, greater for better, normalised}}; all systems with the same columns.
        concentration: Above 0.
        level: Share of the draws that the rank range covers, between 0 and 1.
        draws: At least 1000.
        seed: Of the draws.

    Raises:
        MetricError: A system lacks a column, or a number is not finite or out of range.
    """
    checked_draws(draws)
    if not (math.isfinite(concentration) and concentration > 0):
        raise MetricError(f"`concentration` got {concentration!r}; expected a finite number above 0.")
    if not 0 < level < 1:
        raise MetricError(f"`level` got {level!r}; expected a number between 0 and 1, such as 0.95.")
    columns = sorted(set().union(*normalised.values())) if normalised else []
    if not columns:
        return {}
    for name, values in normalised.items():
        wrong = [column for column in columns if not math.isfinite(values.get(column, math.nan))]
        if wrong:
            raise MetricError(f"System {name!r} has no finite value of {wrong}; a total needs every column.")
    names = list(normalised)
    table = np.array([[normalised[name][column] for column in columns] for name in names])
    weights = np.random.default_rng(seed).dirichlet(np.full(len(columns), concentration), draws)
    ranks = ranks_of(weights @ table.T)
    equal = ranks_of(np.array([math.fsum(row) for row in table]))
    ranges = _rank_ranges(names, ranks, level)
    return {
        name: RankStability(
            rank=int(equal[at]),
            rank_low=ranges[name][0],
            rank_high=ranges[name][1],
            best_share=float((ranks[:, at] == 1).mean()),
        )
        for at, name in enumerate(names)
    }


def _check_scales(scales: Mapping[str, Scale]) -> None:
    for column, scale in scales.items():
        if not (math.isfinite(scale.minimum) and math.isfinite(scale.maximum) and scale.minimum != scale.maximum):
            raise MetricError(
                f"The scale of {column!r} got {scale.minimum!r} to {scale.maximum!r}; expected two different numbers."
            )
        if not (math.isfinite(scale.weight) and scale.weight >= 0):
            raise MetricError(f"The weight of {column!r} got {scale.weight!r}; expected a finite number of at least 0.")
    if math.fsum(scale.weight for scale in scales.values()) <= 0:
        raise MetricError(f"`scales` got {sorted(scales)} without a weight above 0; expected at least one column.")


def _totals(means: _Floats, scales: Mapping[str, Scale]) -> _Floats:
    """Return (draws, systems) totals of (draws, systems * columns) means."""
    whole = math.fsum(scale.weight for scale in scales.values())
    slopes = np.array([scale.weight / whole / (scale.maximum - scale.minimum) for scale in scales.values()])
    offset = math.fsum(-scale.minimum * slope for scale, slope in zip(scales.values(), slopes.tolist(), strict=True))
    return np.asarray(means.reshape(len(means), -1, len(scales)) @ slopes + offset)


def _resampled(table: ClusterTable, scales: Mapping[str, Scale], draws: int, seed: int) -> _Floats:
    blocks = []
    for counts in resampled_counts(table.clusters, draws, seed):
        items = counts @ table.counts
        if not items.all():
            raise MetricError("A resampled column has no items; expected columns with items in more of the clusters.")
        blocks.append(_totals(counts @ table.sums / items, scales))
    return np.concatenate(blocks)


def _left_out(table: ClusterTable) -> _Floats:
    return np.asarray((table.sums.sum(axis=0) - table.sums) / (table.counts.sum(axis=0) - table.counts))


def _rank_ranges(names: list[str], ranks: NDArray[np.int64], level: float) -> dict[str, tuple[int, int]]:
    """Return the range of ranks in the middle of the draws; (draws, systems)."""
    low = np.quantile(ranks, (1 - level) / 2, axis=0, method="lower")
    high = np.quantile(ranks, (1 + level) / 2, axis=0, method="higher")
    return {name: (int(low[at]), int(high[at])) for at, name in enumerate(names)}
