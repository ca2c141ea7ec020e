"""Run records and score rows with known content, for tests of what is made from them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from anisora.harness.protocols import Direction
from anisora.harness.record import MetricResult, Protocol, RunRecord, RunSpec
from anisora.harness.runfolder import RunFolder, ScoreRow, sha256_of_file
from anisora.harness.statistics.clustered_mean import clustered_mean

FIELDS: dict[str, Any] = {"items": "a1", "seeds": [0], "encoder": "ffv1/bgr0", "decode": "reference"}
DIRECTIONS: dict[str, Direction] = {"sharpness": "higher", "flicker": "lower", "flow": "reference"}


def make_result(metric: str, value: float | None, **fields: Any) -> MetricResult:
    """A cell with an interval of +-0.01, unless told otherwise."""
    known = value is not None
    given: dict[str, Any] = {
        "metric": metric,
        "version": 1,
        "direction": DIRECTIONS.get(metric, "higher"),
        "value": value,
        "low": None if value is None else value - 0.01,
        "high": None if value is None else value + 0.01,
        "interval": "clustered t" if known else "",
        "interval_note": "" if known else "nothing was scored",
        "standard_error": 0.005 if known else None,
        "scored": 20 if known else 0,
        "unscored": 0 if known else 20,
        "errors": 0,
        "clusters": 10 if known else 0,
    }
    return MetricResult(**{**given, **fields})


def make_record(
    model: str = "alpha",
    results: Sequence[MetricResult] | Mapping[str, float | None] = (),
    *,
    run_id: str = "",
    suite: str = "smoke",
    version: int = 1,
    track: str | None = None,
    finished: str = "2026-01-02T03:04:05+00:00",
    status: Literal["ok", "partial", "failed"] = "ok",
    fields: Mapping[str, Any] | None = None,
    metric_fields: Mapping[str, Mapping[str, Any]] | None = None,
    reference: bool = False,
    untrained: str | None = None,
    items: int = 20,
    files: Mapping[str, str] | None = None,
) -> RunRecord:
    """A finished run; results may be given as {metric: value}."""
    if isinstance(results, Mapping):
        results = [make_result(metric, value) for metric, value in results.items()]
    metrics: dict[str, dict[str, Any]] = {result.metric: {"version": result.version} for result in results}
    for metric, changed in (metric_fields or {}).items():
        metrics.setdefault(metric, {}).update(changed)
    return RunRecord(
        run_id=run_id or f"{suite}-{model}",
        status=status,
        started="2026-01-02T03:00:00+00:00",
        finished=finished,
        spec=RunSpec(
            suite=suite,
            suite_version=version,
            track=track,
            model=model,
            model_spec="recorded",
            seeds=[0],
            metrics=[result.metric for result in results],
        ),
        results=list(results),
        protocol=Protocol(fields={**FIELDS, **(fields or {})}, metrics=metrics),
        environment={"python": "3.11"},
        reference=reference,
        untrained=untrained,
        items=items,
        files=dict(files or {}),
    )


def make_scores(
    values: Mapping[str, float | None], *, metric: str = "sharpness", seed: int = 0, clusters: int = 10
) -> list[ScoreRow]:
    """One row an item; the items take the clusters in turn, by a hash of their name."""
    return [
        ScoreRow(
            item_id=item,
            seed=seed,
            cluster=f"c{int(hashlib.sha256(item.encode()).hexdigest(), 16) % clusters}",
            metric=metric,
            metric_version=1,
            value=value,
            weight=1.0,
            status="ok" if value is not None else "unscored",
            note="" if value is not None else "too short",
            parts={"frame": [0.5, 0.25]},
        )
        for item, value in values.items()
    ]


def make_run(
    model: str,
    *,
    seed: int,
    items: int = 20,
    metrics: Sequence[str] = ("flicker", "sharpness"),
    **fields: Any,
) -> tuple[RunRecord, list[ScoreRow]]:
    """A record and the rows its results are computed from, drawn with a seed."""
    generator = np.random.default_rng(seed)
    rows, results = [], []
    for metric in metrics:
        drawn = generator.normal(0.5, 0.1, items)
        scored = make_scores({f"item-{at:04}": float(value) for at, value in enumerate(drawn)}, metric=metric)
        estimate = clustered_mean(drawn.tolist(), [row.cluster for row in scored])
        results.append(
            make_result(
                metric,
                estimate.value,
                low=estimate.low,
                high=estimate.high,
                interval=estimate.method,
                interval_note=estimate.note,
                standard_error=estimate.standard_error,
                scored=estimate.count,
                clusters=estimate.clusters,
            )
        )
        rows += scored
    return make_record(model, results, items=items, **fields), rows


def write_run(folder: Path, record: RunRecord, scores: Sequence[ScoreRow]) -> RunRecord:
    """Write a finished run folder; the record gains the digest of its rows."""
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    run.write_spec(record.spec)
    run.write_scores(scores)
    record = record.model_copy(update={"files": {"scores.parquet": sha256_of_file(run.scores_path)}})
    run.write_record(record)
    return record
