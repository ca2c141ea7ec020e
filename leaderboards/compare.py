"""Two runs, item by item: by how much they differ, how sure that is, and what else differs between them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from anisora.harness.errors import MetricError, RecordError, UnknownNameError
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.matched_motion import MatchedComparison, matched_motion_difference
from anisora.harness.statistics.paired_difference import PairedDifference, paired_difference
from anisora.harness.statistics.power import PairedPower, paired_power
from anisora.harness.statistics.sign_flips import max_t, paired_columns
from anisora.leaderboards.comparability import REFERENCE_EXEMPT, run_label
from anisora.leaderboards.pairing import Side, rows_by_metric, shared_clusters, values_of
from anisora.leaderboards.selection import check_trained
from anisora.leaderboards.table import ColumnChoice, TableColumn, columns_of

__all__ = ["Comparison", "MetricComparison", "Verdict", "compare"]

Verdict = Literal[
    "left better",
    "right better",
    "not distinguishable",
    "no interval",
    "no shared items",
    "no direction without ground truth",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric of two runs, in natural units."""

    column: TableColumn
    left: float | None
    """Mean over the shared items, each counting once."""
    right: float | None
    difference: PairedDifference
    """Left minus right; of the distances to the ground truth if ``by_distance``."""
    by_distance: bool
    corrected_p: float | None
    """Of flipping the signs of clusters, corrected by max-T over the metrics shown; None where there is no interval."""
    power: PairedPower
    """The smallest gap that these items can show."""
    wins: int
    """Items where left is better; greater, where nothing says what is better."""
    losses: int
    verdict: Verdict
    at_equal_motion: MatchedComparison | None = None
    """The difference where both sides have the same ``Comparison.motion``; None where that was not asked or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A paired comparison that can be shown in any style."""

    suite_key: str
    left: str
    """The model, with its run id where both sides have one name."""
    right: str
    left_run: str
    right_run: str
    level: float
    metrics: tuple[MetricComparison, ...]
    method: str
    """How the p values were made; empty where there are none."""
    motion: str
    """The metric at whose equal values the sides are compared as well; empty if none."""
    protocol: tuple[tuple[str, Any, Any], ...]
    """(field, of left, of right) wherever the protocols differ; empty if they are one."""
    notes: tuple[str, ...]


def compare(
    left: Side,
    right: Side,
    columns: Sequence[ColumnChoice] = (),
    *,
    reference: Side | None = None,
    motion: str | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare two runs of one suite by the items that both have scored.

    Seeds are averaged within an item first; then every item counts once. Items of one side only are counted and left
    out. P values come from flipping the signs of clusters and are corrected for the metrics shown and their correlation
    (max-T, Westfall and Young 1993); a verdict is given where the corrected one is below ``1 - level``. Differing
    protocols are not refused here but listed.

    Args:
        left: Record and rows of a run.
        right: The same of the other.
        columns: The metrics to compare; those that both runs have when left out.
        reference: Record and rows of the ground truth. Where a metric's direction is ``reference``, its
            distance to the ground truth is compared, smaller being better.
        motion: A metric of motion that both runs have, such as ``flow_magnitude``: all others are compared at equal
            values of it as well, since still clips score well on consistency.
        level: Coverage of the intervals, between 0 and 1.

    Raises:
        RecordError: The runs are of different suites, share no metric, disagree on an item's cluster, or one
            alone has random weights.
        UnknownNameError: A metric is in neither run, or that of motion not in both.
    """
    records = (left[0], right[0])
    if records[0].suite_key != records[1].suite_key:
        raise RecordError(
            f"Runs {run_label(records[0])} and {run_label(records[1])} are of different suites: "
            f"{records[0].suite_key!r} and {records[1].suite_key!r}; compare runs of one."
        )
    check_trained(records)
    made = columns_of(columns or _shared_metrics(*records), records)
    truth, notes = _usable_reference(reference, records, made)
    rows = [rows_by_metric(part) for part in (left[1], right[1], truth)]
    sides = {column.metric: _sides(column, *(part.get(column.metric, []) for part in rows)) for column in made}
    metrics = [_compared(column, sides[column.metric], level=level) for column in made]
    corrected = _corrected(metrics, sides)
    matched: list[MatchedComparison | None] = [None] * len(metrics)
    if motion is not None:
        matched, more = _at_equal_motion(made, sides, _motion(motion, records, rows), motion, level)
        notes += more
    names = [record.spec.model for record in records]
    if names[0] == names[1]:
        names = [f"{record.spec.model} ({record.run_id})" for record in records]
    differing = records[0].protocol.differences(records[1].protocol, [column.metric for column in made])
    return Comparison(
        suite_key=records[0].suite_key,
        left=names[0],
        right=names[1],
        left_run=records[0].run_id,
        right_run=records[1].run_id,
        level=level,
        metrics=tuple(
            replace(metric, corrected_p=p, verdict=_verdict(metric, p, 1 - level), at_equal_motion=equal)
            for metric, p, equal in zip(metrics, corrected.p_values, matched, strict=True)
        ),
        method=corrected.method,
        motion=motion or "",
        protocol=tuple((field, mine, theirs) for field, (mine, theirs) in differing.items()),
        notes=tuple(notes),
    )


def _shared_metrics(left: RunRecord, right: RunRecord) -> list[str]:
    theirs = {result.metric for result in right.results}
    shared = [result.metric for result in left.results if result.metric in theirs]
    if not shared:
        raise RecordError(
            f'Runs {run_label(left)} and {run_label(right)} have no metric in common; run "anisora rescore" to add one.'
        )
    return shared


def _usable_reference(
    reference: Side | None, records: Sequence[RunRecord], columns: Sequence[TableColumn]
) -> tuple[Sequence[ScoreRow], list[str]]:
    """Return the rows of a ground truth that was scored as both runs were, else none and why."""
    metrics = [column.metric for column in columns if column.direction == "reference"]
    if reference is None or not metrics:
        return (), []
    differing = sorted(
        {
            field
            for record in records
            for field in reference[0].protocol.differences(record.protocol, metrics)
            if field not in REFERENCE_EXEMPT
        }
    )
    if differing:
        fields = ", ".join(f"`{field}`" for field in differing)
        return (), [f"The ground truth run {reference[0].run_id} differs in {fields} and is not used."]
    return reference[1], []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """The values of one metric, {item: value}."""

    left: Mapping[str, float]
    right: Mapping[str, float]
    tested: tuple[Mapping[str, float], Mapping[str, float]]
    """What is compared: the values, or their distances to the ground truth."""
    by_distance: bool
    clusters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Corrected:
    p_values: tuple[float | None, ...]
    method: str


def _sides(
    column: TableColumn, left: Sequence[ScoreRow], right: Sequence[ScoreRow], truth: Sequence[ScoreRow]
) -> _Sides:
    mine, theirs, true = (values_of(rows) for rows in (left, right, truth))
    by_distance = column.direction == "reference" and bool(true)
    return _Sides(
        left=mine,
        right=theirs,
        tested=(_distances(mine, true), _distances(theirs, true)) if by_distance else (mine, theirs),
        by_distance=by_distance,
        clusters=shared_clusters(left, right),
    )


def _compared(column: TableColumn, sides: _Sides, *, level: float) -> MetricComparison:
    compared = paired_difference(*sides.tested, sides.clusters, level)
    shared = sorted(sides.left.keys() & sides.right.keys())
    lower_is_better = sides.by_distance or column.direction == "lower"
    return MetricComparison(
        column=column,
        left=_mean(sides.left, shared),
        right=_mean(sides.right, shared),
        difference=compared,
        by_distance=sides.by_distance,
        corrected_p=None,
        power=paired_power(*sides.tested, sides.clusters, level=level),
        wins=compared.losses if lower_is_better else compared.wins,
        losses=compared.wins if lower_is_better else compared.losses,
        verdict="no interval",
    )


def _corrected(metrics: Sequence[MetricComparison], sides: Mapping[str, _Sides]) -> _Corrected:
    """Test all metrics that have an interval as one family."""
    able = [metric.column.metric for metric in metrics if metric.difference.p_value is not None]
    if not able:
        return _Corrected(p_values=(None,) * len(metrics), method="")
    pairs = [{name: sides[name].tested[side] for name in able} for side in (0, 1)]
    clusters = {item: cluster for name in able for item, cluster in sides[name].clusters.items()}
    family = max_t(paired_columns(*pairs), clusters)
    adjusted = {test.name: test.adjusted_p for test in family.tests}
    return _Corrected(
        p_values=tuple(adjusted.get(metric.column.metric) for metric in metrics),
        method=family.method,
    )


def _motion(
    motion: str, records: Sequence[RunRecord], rows: Sequence[Mapping[str, Sequence[ScoreRow]]]
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return the motion of both sides, {item: value}."""
    for record in records:
        known = [result.metric for result in record.results]
        if motion not in known:
            hint = f"Run {run_label(record)} has: {', '.join(known)}."
            raise UnknownNameError("metric", motion, known, hint)
    return values_of(rows[0].get(motion, ())), values_of(rows[1].get(motion, ()))


def _at_equal_motion(
    columns: Sequence[TableColumn],
    sides: Mapping[str, _Sides],
    motion: tuple[Mapping[str, float], Mapping[str, float]],
    name: str,
    level: float,
) -> tuple[list[MatchedComparison | None], list[str]]:
    """Return the comparison of each column at equal motion, and why some have none."""
    found: list[MatchedComparison | None] = []
    notes = []
    for column in columns:
        side, made = sides[column.metric], None
        if column.metric != name:
            try:
                made = matched_motion_difference(*side.tested, *motion, side.clusters, level)
            except MetricError as error:
                notes.append(f"{column.header} at equal {name}: {error}")
        found.append(made)
    return found, notes


def _distances(values: Mapping[str, float], truth: Mapping[str, float]) -> dict[str, float]:
    return {item: abs(value - truth[item]) for item, value in values.items() if item in truth}


def _mean(values: Mapping[str, float], items: Sequence[str]) -> float | None:
    return math.fsum(values[item] for item in items) / len(items) if items else None


def _verdict(metric: MetricComparison, corrected_p: float | None, error: float) -> Verdict:
    value = metric.difference.estimate.value
    if value is None:
        return "no shared items"
    if metric.column.direction == "reference" and not metric.by_distance:
        return "no direction without ground truth"
    if corrected_p is None:
        return "no interval"
    if corrected_p >= error or value == 0:
        return "not distinguishable"
    lower_is_better = metric.by_distance or metric.column.direction == "lower"
    return "left better" if (value < 0) == lower_is_better else "right better"
