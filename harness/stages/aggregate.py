"""From rows to cells: a pure function of what scores.parquet holds."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from anisora.harness.protocols import MetricInfo
from anisora.harness.record import MetricResult
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.clustered_mean import Estimate, clustered_mean
from anisora.harness.statistics.proportion import clustered_proportion
from anisora.harness.statistics.subset import stratified_mean

__all__ = ["aggregate", "item_values"]

AGGREGATION = "mean over seeds, then weighted mean over items; cluster-robust t interval (CR2), Wilson's of shares"
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

    Metrics of yes and no have Wilson's interval, all others Student's t. Items are counted once: scored if any seed has
    a value, else an error if any seed is one, else unscored.
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
    estimate = (
        (clustered_proportion if info.binary else clustered_mean)(
            [values[item][0] for item in items],
            [cluster_of[item] for item in items],
            [values[item][1] for item in items],
        )
        if population is None or not items
        else _subset_estimate(values, cluster_of, population)
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
        unweighted=None
        if population is not None or not items
        else math.fsum(values[item][0] for item in items) / len(items),
        scored=len(items),
        unscored=len(cluster_of) - len(items) - len(failed),
        errors=len(failed),
        clusters=estimate.clusters,
    )


def _subset_estimate(
    values: Mapping[str, tuple[float, float]], cluster_of: Mapping[str, str], population: Mapping[str, int]
) -> Estimate:
    """Estimate the weighted mean over the whole suite as the ratio of two post-stratified means.

    Its interval is that of the linearised residuals ``w (y - m) / mean(w)`` (Cochran 1977, section 6.11).
    """
    strata = {item: cluster if cluster in population else "" for item, cluster in cluster_of.items()}
    weight = stratified_mean({item: each for item, (_, each) in values.items()}, strata, population).value
    total = stratified_mean({item: value * each for item, (value, each) in values.items()}, strata, population).value
    mean = total / weight
    residuals = {item: each * (value - mean) / weight for item, (value, each) in values.items()}
    spread = stratified_mean(residuals, strata, population)
    has_interval = spread.low is not None and spread.high is not None
    return Estimate(
        value=mean,
        standard_error=spread.standard_error,
        low=None if spread.low is None else mean + spread.low - spread.value,
        high=None if spread.high is None else mean + spread.high - spread.value,
        level=spread.level,
        method=f"{spread.method} ({spread.note})" if has_interval and spread.note else spread.method,
        note="" if has_interval else spread.note,
        count=len(values),
        clusters=len({cluster_of[item] for item in values}),
    )
