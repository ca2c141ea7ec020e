"""From rows to cells: a pure function of what scores.parquet holds."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from anisora.harness.protocols import MetricInfo
from anisora.harness.record import MetricResult
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.clustered_mean import clustered_mean

__all__ = ["aggregate", "item_values"]

AGGREGATION = "mean over seeds, then weighted mean over items; cluster-robust t interval (CR2)"
"""The protocol's ``aggregation`` field."""


def item_values(rows: Iterable[ScoreRow]) -> dict[str, tuple[float, float]]:
    """Reduce seeds to {item: (weighted mean of its scored seeds, mean weight)}; items without a score are absent."""
    by_item: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in rows:
        if row.status == "ok" and row.value is not None:
            by_item[row.item_id].append(row)
    reduced = {}
    for item, scored in sorted(by_item.items()):
        total = math.fsum(row.weight for row in scored)
        if total > 0:
            value = math.fsum(row.weight * row.value for row in scored if row.value is not None) / total
            reduced[item] = (value, total / len(scored))
    return reduced


def aggregate(rows: Sequence[ScoreRow], infos: Mapping[str, MetricInfo]) -> list[MetricResult]:
    """Return one result per metric, in the order of names.

    Items are counted once: scored if any seed has a value, else an error if any seed is one, else unscored.
    """
    by_metric: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in rows:
        by_metric[row.metric].append(row)
    return [_cell(infos[name], by_metric.get(name, [])) for name in sorted(infos)]


def _cell(info: MetricInfo, rows: Sequence[ScoreRow]) -> MetricResult:
    values = item_values(rows)
    cluster_of = {row.item_id: row.cluster for row in rows}
    failed = {row.item_id for row in rows if row.status == "error"} - set(values)
    items = sorted(values)
    estimate = clustered_mean(
        [values[item][0] for item in items],
        [cluster_of[item] for item in items],
        [values[item][1] for item in items],
    )
    return MetricResult(
        metric=info.name,
        version=info.version,
        direction=info.direction,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        interval=estimate.method,
        interval_note=estimate.note,
        standard_error=estimate.standard_error,
        scored=len(items),
        unscored=len(cluster_of) - len(items) - len(failed),
        errors=len(failed),
        clusters=estimate.clusters,
    )
