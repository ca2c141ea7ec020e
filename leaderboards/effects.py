"""How each system differs from the ground truth, metric by metric: what the metrics see, and what they do not.

Beside a leaderboard this shows its metrics at work: a damage should be told by some column, and a column that
likes it better than the real clip should not be trusted alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.paired_difference import PairedDifference, paired_difference
from anisora.harness.suite import Expectation
from anisora.leaderboards.pairing import rows_by_metric, shared_clusters, values_of
from anisora.leaderboards.table import LeaderboardTable, Row, TableColumn

__all__ = ["Effect", "EffectMatrix", "EffectRow", "Verdict", "effect_matrix"]

Verdict = Literal["worse", "better", "alike", "unknown"]
"""Of a system against the ground truth; for metrics of direction ``reference``, to differ is to be worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One system by one metric."""

    metric: str
    difference: PairedDifference | None
    """System minus ground truth over the items both have, in natural units; None where no item is shared."""
    verdict: Verdict
    """By the interval of the difference: ``alike`` where it holds 0, ``unknown`` where there is none."""
    expected: bool
    """The suite says beforehand that the system must be worse."""

    @property
    def held(self) -> bool:
        """True where what was expected was found, or nothing was expected."""
        return not self.expected or self.verdict == "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One system."""

    run_id: str
    model: str
    warnings: str
    """What must never be left out beside its name, as tables have it."""
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectMatrix:
    """Systems by metrics."""

    columns: tuple[TableColumn, ...]
    rows: tuple[EffectRow, ...]
    reference: str
    """The run that the others are compared with: of the ground truth, unless another was asked for."""

    @property
    def expected(self) -> tuple[tuple[str, Effect], ...]:
        """(model, effect) wherever something was expected."""
        return tuple((row.model, effect) for row in self.rows for effect in row.effects if effect.expected)

    @property
    def unmet(self) -> tuple[tuple[str, str], ...]:
        """(model, metric) of the expectations that were not found."""
        return tuple((model, effect.metric) for model, effect in self.expected if not effect.held)

    def preferring(self, model: str) -> tuple[tuple[TableColumn, ...], tuple[TableColumn, ...]]:
        """Return the columns that prefer a system to the ground truth, and those that could have.

        A column could have if both were scored by it; it prefers the system if the interval of the paired
        difference lies on the better side of 0.
        """
        row = next(row for row in self.rows if row.model == model)
        able = [
            (column, effect)
            for column, effect in zip(self.columns, row.effects, strict=True)
            if effect.verdict != "unknown"
        ]
        return tuple(column for column, effect in able if effect.verdict == "better"), tuple(c for c, _ in able)


def effect_matrix(
    table: LeaderboardTable,
    scores: Mapping[str, Sequence[ScoreRow]],
    expected: Sequence[Expectation] = (),
    *,
    against: str | None = None,
) -> EffectMatrix | None:
    """Compare every system of a table with its ground truth, item by item.

    Intervals are of one pair each and not corrected for their number: each tells of one damage and one metric
    that were chosen beforehand.

    Args:
        table: The systems, the columns and the ground truth.
        scores: {run id: its rows}.
        expected: What the suite says beforehand.
        against: A run id to compare with in place of the ground truth; nothing is then worse by a metric that is best
            closest to the ground truth.

    Returns:
        The matrix, or None for a table without ground truth where nothing is given ``against``.
    """
    compared = next((row for row in table.rows if (row.reference if against is None else row.run_id == against)), None)
    if compared is None:
        return None
    true = rows_by_metric(scores[compared.run_id])
    wanted = {(expectation.system, metric) for expectation in expected for metric in expectation.worse}

    def row_of(row: Row) -> EffectRow:
        mine = rows_by_metric(scores[row.run_id])
        effects = tuple(
            _effect(
                column,
                mine.get(column.metric, []),
                true.get(column.metric, []),
                expected=(row.model, column.metric) in wanted,
                is_truth=compared.reference,
            )
            for column in table.columns
        )
        return EffectRow(run_id=row.run_id, model=row.model, warnings=table.warnings(row), effects=effects)

    rows = tuple(row_of(row) for row in table.rows if not row.reference and row is not compared)
    return EffectMatrix(columns=table.columns, rows=rows, reference=compared.run_id)


def _effect(
    column: TableColumn, mine: Sequence[ScoreRow], true: Sequence[ScoreRow], *, expected: bool, is_truth: bool
) -> Effect:
    difference = paired_difference(values_of(mine), values_of(true), shared_clusters(mine, true))
    if not difference.items:
        return Effect(metric=column.metric, difference=None, verdict="unknown", expected=expected)
    verdict = _verdict(column, difference, is_truth=is_truth)
    return Effect(metric=column.metric, difference=difference, verdict=verdict, expected=expected)


def _verdict(column: TableColumn, difference: PairedDifference, *, is_truth: bool) -> Verdict:
    estimate = difference.estimate
    if estimate.low is None or estimate.high is None or column.direction is None:
        return "unknown"
    if column.direction == "reference" and not is_truth:
        return "unknown"
    if estimate.low <= 0 <= estimate.high:
        return "alike"
    if column.direction == "reference":
        return "worse"
    return "better" if (estimate.low > 0) == (column.direction == "higher") else "worse"
