"""Systems that are scored by hand: rows with given values, the table of them, and a report of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from records import make_record, make_result

from anisora.harness.record import RunRecord
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.suite import Expectation
from anisora.leaderboards.effects import EffectMatrix, effect_matrix
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.table import ColumnChoice, LeaderboardTable, build_table

Values = Mapping[str, float | None]
"""{item: value of one metric}; None where the item could not be scored."""

TRUTH = "ground-truth"
"""The model whose run is the ground truth."""


def rows_of(metric: str, values: Values, clusters: Mapping[str, str] | None = None, *, seed: int = 0) -> list[ScoreRow]:
    """One row an item; each item is a cluster of its own unless told."""
    return [
        ScoreRow(
            item_id=item,
            seed=seed,
            cluster=(clusters or {}).get(item, item),
            metric=metric,
            metric_version=1,
            value=value,
            weight=1.0,
            status="unscored" if value is None else "ok",
            note="too short" if value is None else "",
            parts={},
        )
        for item, value in values.items()
    ]


def scored_system(
    model: str, metrics: Mapping[str, Values], clusters: Mapping[str, str] | None = None, **fields: Any
) -> tuple[RunRecord, list[ScoreRow]]:
    """A run with rows of given values and the results that follow from them; TRUTH is the reference."""
    rows, results = [], []
    for metric, values in metrics.items():
        mine = rows_of(metric, values, clusters)
        scored = [row for row in mine if row.value is not None]
        estimate = clustered_mean([row.value for row in scored], [row.cluster for row in scored])
        results.append(
            make_result(
                metric,
                estimate.value,
                low=estimate.low,
                high=estimate.high,
                interval=estimate.method,
                interval_note=estimate.note,
                standard_error=estimate.standard_error,
                scored=len(scored),
                unscored=len(mine) - len(scored),
                clusters=estimate.clusters,
            )
        )
        rows += mine
    items = len({row.item_id for row in rows})
    return make_record(model, results, items=items, **{"reference": model == TRUTH, **fields}), rows


class Scored:
    """Runs of several systems with their table."""

    def __init__(
        self,
        systems: Mapping[str, Mapping[str, Values]],
        columns: Sequence[ColumnChoice] = (),
        *,
        clusters: Mapping[str, str] | None = None,
        untrained: str | None = None,
        title: str = "",
        language: str = "en",
    ) -> None:
        """Score {model: {metric: {item: value}}}; the run of TRUTH is the ground truth."""
        runs = [scored_system(model, metrics, clusters, untrained=untrained) for model, metrics in systems.items()]
        self.records = {record.run_id: record for record, _ in runs}
        self.scores = {record.run_id: rows for record, rows in runs}
        self.table: LeaderboardTable = build_table(
            list(self.records.values()), columns, title=title, show_untrained=untrained is not None, language=language
        )

    def matrix(self, expected: Mapping[str, Sequence[str]] | None = None) -> EffectMatrix:
        """Compare with the ground truth; expected is {model: metrics by which it must be worse}."""
        wanted = [Expectation(system=system, worse=tuple(worse)) for system, worse in (expected or {}).items()]
        made = effect_matrix(self.table, self.scores, wanted)
        assert made is not None
        return made

    def report(self, **fields: Any) -> ReportData:
        """A report without suite and clips, unless given."""
        given: dict[str, Any] = {
            "suite": None,
            "table": self.table,
            "matrix": effect_matrix(self.table, self.scores),
            "breakdowns": (),
            "choices": (),
            "records": {row.run_id: self.records[row.run_id] for row in self.table.rows},
            "samples": {},
            "clips": {},
            "scores": self.scores,
        }
        return ReportData(**{**given, **fields})
