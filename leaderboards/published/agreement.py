"""How far each column of the published tables orders systems as people do.

The tables are joined by the name of the model; the systems are those that have a human score.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.statistics.multiplicity import holm
from anisora.harness.statistics.rank_correlation import (
    PairwiseAccuracy,
    RankCorrelation,
    kendall,
    pairwise_accuracy,
    smallest_exact_p,
    spearman,
)
from anisora.leaderboards.published.tables import PublishedTable, published_tables

__all__ = ["HUMAN", "ColumnAgreement", "PeopleAgreement", "agreement_with_people", "finding"]

HUMAN: Final = "human_evaluation"
"""The column that holds what people say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnAgreement:
    """A column, or a mean over columns of a table, against the human score."""

    suite: str
    header: str
    metric: str | None
    """Of the column, or of the one that a mean leaves out; None for the mean of all."""
    spearman: RankCorrelation
    kendall: RankCorrelation
    accuracy: PairwiseAccuracy
    corrected_p: float | None = None
    """Spearman's p value after Holm's correction for all single columns; None for a mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleAgreement:
    """The agreement of all columns with people."""

    tables: tuple[PublishedTable, ...]
    """What was compared, the table with the human score first."""
    systems: tuple[str, ...]
    """Models with a human score that all tables have."""
    columns: tuple[ColumnAgreement, ...]
    """The single columns, in the order of the tables."""
    means: tuple[ColumnAgreement, ...]
    """For each table, the mean of its columns without the human score."""
    means_without: tuple[ColumnAgreement, ...]
    """For each single column, the mean of the others of its table: how much of a mean is one column's doing."""

    @property
    def smallest_p(self) -> float:
        """The smallest p value that a rank correlation of so many systems can have."""
        return smallest_exact_p(len(self.systems))

    def mean_of(self, suite: str) -> ColumnAgreement:
        """Return the agreement of the mean of a table's columns.

        Raises:
            DataError: The suite is not among the tables.
        """
        for mean in self.means:
            if mean.suite == suite:
                return mean
        known = ", ".join(mean.suite for mean in self.means)
        raise DataError(f"Suite {suite!r} is in no table that was compared with people; expected one of {known}.")

    def most_changed_without(self, suite: str) -> ColumnAgreement | None:
        """Return the mean whose ``rho`` moves furthest when a single column of a table is left out.

        None where the table has one column, or its means have no rank correlation.

        Raises:
            DataError: The suite is not among the tables.
        """
        whole = self.mean_of(suite).spearman.value
        moved = {
            it.metric: (abs(it.spearman.value - whole), it)
            for it in self.means_without
            if it.suite == suite and it.spearman.value is not None and whole is not None
        }
        return max(moved.values(), key=lambda pair: pair[0])[1] if moved else None


def agreement_with_people(tables: Sequence[PublishedTable] | None = None) -> PeopleAgreement:
    """Correlate every column of published tables with the human score of the same systems.

    Ranks are over systems, not clips. Where a column says that less is better, less agrees with a higher human score.
    The mean of a table is over its columns as printed, each counting once, which is what a reader would average; it is
    not VBench's total, which normalises and weighs them.

    Args:
        tables: One of them has the column ``human_evaluation``; all published ones when left out.

    Raises:
        DataError: Not exactly one table has the human score, fewer than two systems with one are in all tables, or a
            system lacks a number.

    Example:
        >>> round(agreement_with_people().mean_of("vbench-i2v-8").spearman.value, 2)
        -0.14
    """
    tables = published_tables() if tables is None else tables
    judged = _judged(tables)
    systems = _systems(judged, tables)
    people = _merits(judged, HUMAN, systems)
    columns, means, without = [], [], []
    ordered = (judged, *(other for other in tables if other is not judged))
    for table in ordered:
        values = {column: _merits(table, column.metric, systems) for column in table.columns if column.metric != HUMAN}
        for column, mine in values.items():
            named = {"suite": table.suite, "metric": column.metric}
            others = [theirs for other, theirs in values.items() if other != column]
            columns.append(_against(people, mine, **named, header=column.header))
            if others:
                without.append(_against(people, _mean(others), **named, header=f"mean without {column.header}"))
        header = f"mean of {len(values)} columns"
        means.append(_against(people, _mean(list(values.values())), suite=table.suite, metric=None, header=header))
    corrected = holm([column.spearman.p_value for column in columns])
    return PeopleAgreement(
        tables=ordered,
        systems=systems,
        columns=tuple(replace(column, corrected_p=p) for column, p in zip(columns, corrected, strict=True)),
        means=tuple(means),
        means_without=tuple(without),
    )


def _mean(columns: Sequence[Sequence[float]]) -> list[float]:
    """Return (systems,) the mean over (columns, systems), exactly rounded."""
    return [math.fsum(values) / len(values) for values in zip(*columns, strict=True)]


def _judged(tables: Sequence[PublishedTable]) -> PublishedTable:
    found = [table for table in tables if HUMAN in table.metrics]
    if len(found) != 1:
        names = ", ".join(table.suite for table in found) or "none"
        raise DataError(
            f"The column `{HUMAN}` is in {len(found)} published tables ({names}); expected exactly one; choose the "
            "tables to compare."
        )
    return found[0]


def _systems(judged: PublishedTable, tables: Sequence[PublishedTable]) -> tuple[str, ...]:
    """Return the models with a human score that every table has."""
    at = judged.metrics.index(HUMAN)
    shared = set.intersection(*({row.model for row in table.generated} for table in tables))
    systems = tuple(row.model for row in judged.generated if row.model in shared and row.value(at) is not None)
    if len(systems) < 2:
        raise DataError(
            f"Only {len(systems)} systems of `{judged.suite}` have a human score and are in all tables; expected at "
            "least 2; give one model the same name everywhere."
        )
    return systems


def _merits(table: PublishedTable, metric: str, systems: Sequence[str]) -> list[float]:
    """Return one number a system, greater for better."""
    at, values = table.metrics.index(metric), []
    for model in systems:
        value = table.merit(table.row(model), at)
        if value is None:
            raise DataError(
                f"`{metric}` of {model!r} in the published table `{table.suite}` has no number; expected one of every "
                "system that people scored; leave the column out."
            )
        values.append(value)
    return values


def _against(
    people: Sequence[float], values: Sequence[float], *, suite: str, header: str, metric: str | None
) -> ColumnAgreement:
    return ColumnAgreement(
        suite=suite,
        header=header,
        metric=metric,
        spearman=spearman(people, values),
        kendall=kendall(people, values),
        accuracy=pairwise_accuracy(people, values),
    )


def finding(agreement: PeopleAgreement, suite: str = "vbench-i2v-8") -> str:
    """Say in one sentence what the mean of a table's columns has to do with people, and which column moves it most.

    Args:
        agreement: What ``agreement_with_people`` returns.
        suite: The table.

    Raises:
        DataError: The suite is not among the tables.

    Example:
        >>> finding(agreement_with_people()).partition(" over ")[0]
        "The mean of VBench's 8 columns has rank correlation -0.14 with people"
    """
    found, moved = agreement.mean_of(suite).spearman, agreement.most_changed_without(suite)
    source = next(table.metrics_of for table in agreement.tables if table.suite == suite)
    names = {column.metric: column.header for column in agreement.columns if column.suite == suite}
    subject = f"The mean of {source}'s {len(names)} columns has"
    if found.value is None:
        return f"{subject} no rank correlation with people: {found.note}."
    told = (
        f"{subject} rank correlation {found.value:.2f} with people over {found.count} systems (Spearman; p "
        f"{found.p_value:.2f}, {found.method})"
    )
    return told + ("." if moved is None else f"; without {names[moved.metric]} it is {moved.spearman.value:.2f}.")
