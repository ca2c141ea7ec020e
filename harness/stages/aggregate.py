"""From rows to cells: a pure function of what scores.parquet holds."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from anisora.harness.protocols import MetricInfo
from anisora.harness.record import MetricResult
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.statistics.subset import stratified_mean

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


def aggregate(
    rows: Sequence[ScoreRow], infos: Mapping[str, MetricInfo], population: Mapping[str, int] | None = None
) -> list[MetricResult]:
    """Return one result per metric, in the order of names.

    Args:
        rows: Of all metrics.
        infos: {metric: who it is}.
        population: Of a subset: {stratum: items of the whole suite}. The results then estimate the means over the whole
            suite, post-stratified, with intervals of its finite population.

    Items are counted once: scored if any seed has a value, else an error if any seed is one, else unscored.
    """
    by_metric: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in rows:
        by_metric[row.metric].append(row)
    return [_cell(infos[name], by_metric.get(name, []), population) for name in sorted(infos)]


def _cell(info: MetricInfo, rows: Sequence[ScoreRow], population: Mapping[str, int] | None) -> MetricResult:
    values = item_values(rows)
    cluster_of = {row.item_id: row.cluster for row in rows}
    failed = {row.item_id for row in rows if row.status == "error"} - set(values)
    items = sorted(values)
    if population is not None and items:
        return _subset_cell(info, values, cluster_of, failed, population)
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


def _subset_cell(
    info: MetricInfo,
    values: Mapping[str, tuple[float, float]],
    cluster_of: Mapping[str, str],
    failed: set[str],
    population: Mapping[str, int],
) -> MetricResult:
    strata = {item: cluster if cluster in population else "" for item, cluster in cluster_of.items()}
    weights = {weight for _, weight in values.values()}
    estimate = stratified_mean({item: value for item, (value, _) in values.items()}, strata, population)
    note = estimate.note
    if len(weights) > 1:
        note = "; ".join(filter(None, (note, "every item counts once, whatever its weight")))
    return MetricResult(
        metric=info.name,
        version=info.version,
        direction=info.direction,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        interval=estimate.method,
        interval_note=note,
        standard_error=estimate.standard_error,
        scored=len(values),
        unscored=len(cluster_of) - len(values) - len(failed),
        errors=len(failed),
        clusters=len({cluster_of[item] for item in values}),
    )
