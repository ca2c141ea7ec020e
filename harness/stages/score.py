"""Stage two: clips to rows. Only what is missing is computed, and one bad clip never loses a run."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anisora.harness.errors import AnisoraError, MetricError, VideoUnreadable
from anisora.harness.executors.local import map_unordered
from anisora.harness.features import FeatureStore
from anisora.harness.journal import Journal
from anisora.harness.protocols import FeatureReader, Metric
from anisora.harness.runfolder import RunFolder, ScoreRow
from anisora.harness.stages.plan import Plan, missing_needs
from anisora.harness.types import Generation, Score, StreamInfo

__all__ = ["Scored", "score_clips", "score_one"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The rows of one clip, what its stream turned out to be, and what went wrong."""

    rows: tuple[ScoreRow, ...]
    stream: StreamInfo | None
    errors: tuple[dict[str, str], ...] = field(default=())


def score_one(metric: Metric, item: Generation, features: FeatureReader) -> Score:
    """Score one clip with one metric; rewards and runs share this, so they cannot disagree.

    A metric whose inputs the sample lacks, or whose shortest clip is longer than this one, leaves it unscored with the
    reason. A value that is not finite, or one of yes and no outside 0..1, is an error of the metric, never a number.

    Raises:
        AnisoraError: The clip cannot be read, or the metric or an extractor failed.
    """
    info = metric.info
    lacking = missing_needs(item.sample, info.needs)
    if lacking:
        return _unscored(item, f"the item has no {' and no '.join(lacking)}; add it to the manifest")
    length = features.stream(item).num_frames
    if length < info.min_frames:
        return _unscored(item, f"the clip has {length} of the {info.min_frames} frames that {info.name} needs")
    score = metric.score(item, features)
    if score.value is not None and not math.isfinite(score.value):
        return _unscored(item, f"{info.name} gave {score.value!r}, which is not a number to rank by")
    if score.value is not None and info.binary and not 0 <= score.value <= 1:
        return _unscored(item, f"{info.name} gave {score.value!r}, but is a metric of yes and no: from 0 to 1")
    return score


def _unscored(item: Generation, note: str) -> Score:
    return Score(sample_id=item.sample.id, seed=item.seed, value=None, note=note)


def score_clips(
    items: Sequence[Generation],
    plan: Plan,
    store: FeatureStore,
    folder: RunFolder,
    *,
    clusters: Mapping[str, str],
    known: Iterable[ScoreRow] = (),
    streams: Mapping[tuple[str, int], StreamInfo] | None = None,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> list[Scored]:
    """Score every clip with every metric that has no row yet, writing each clip's rows to the journal.

    Args:
        items: The clips.
        plan: The metrics.
        store: Gives features.
        folder: Keeps the journal; what it holds already is used and not computed again.
        clusters: {item: cluster}.
        known: Rows of earlier sessions that still stand.
        streams: What earlier sessions found out about the clips.
        workers: Clips in work at a time; changes no byte.
        advance: Called once per clip.

    Raises:
        OSError: The journal cannot be written; what is in it stays.
    """
    done = {row.key: row for row in known}
    seen = dict(streams or {})
    for entry in folder.read_journal():
        if entry.get("stream"):
            seen[entry["item_id"], entry["seed"]] = StreamInfo(**entry["stream"])
        for row in entry["rows"]:
            fingerprint = row.pop("protocol")
            if row["metric"] in plan.metrics and fingerprint == plan.fingerprint(row["metric"]):
                found = ScoreRow(**row)
                done[found.key] = found

    def work(item: Generation) -> tuple[Generation, Scored, bool]:
        rows = [done[key] for name in plan.metrics if (key := (name, item.sample.id, item.seed)) in done]
        wanted = [name for name in plan.metrics if (name, item.sample.id, item.seed) not in done]
        stream = seen.get((item.sample.id, item.seed))
        if not wanted and stream is not None:
            return item, Scored(rows=tuple(rows), stream=stream), False
        return item, _score_clip(item, plan, wanted, rows, store, clusters), True

    results = []
    with folder.journal() as journal:
        for item, scored, is_new in map_unordered(work, items, workers=workers):
            if is_new:
                _append(journal, item, scored, plan)
            results.append(scored)
            advance()
    return results


def _score_clip(
    item: Generation,
    plan: Plan,
    wanted: Sequence[str],
    rows: Sequence[ScoreRow],
    store: FeatureStore,
    clusters: Mapping[str, str],
) -> Scored:
    made = list(rows)
    errors: dict[str, dict[str, str]] = {}
    stream = None
    try:
        stream = store.stream(item)
    except AnisoraError as error:
        errors[str(error)] = _error(item, error)
    for name in wanted:
        metric = plan.metrics[name]
        try:
            score = score_one(metric, item, store)
            made.append(_row(item, metric, clusters, score))
        except AnisoraError as error:
            errors.setdefault(str(error), _error(item, error))
            made.append(_failed(item, metric, clusters, error))
        except Exception as error:
            _log.warning("Metric %s failed on item %s", name, item.sample.id, exc_info=True)
            errors.setdefault(f"{name}: {error}", _error(item, error, f"Metric `{name}`: {error}"))
            made.append(_failed(item, metric, clusters, error))
    return Scored(rows=tuple(made), stream=stream, errors=tuple(errors.values()))


def _row(item: Generation, metric: Metric, clusters: Mapping[str, str], score: Score) -> ScoreRow:
    return ScoreRow(
        item_id=item.sample.id,
        seed=item.seed,
        cluster=clusters[item.sample.id],
        metric=metric.info.name,
        metric_version=metric.info.version,
        value=score.value,
        weight=float(score.weight),
        status="unscored" if score.value is None else "ok",
        note=score.note,
        parts={name: _plain(values) for name, values in sorted(score.parts.items())},
    )


def _plain(values: Iterable[float]) -> list[float | None]:
    """Return plain numbers; NaN, which says that a frame or pair has no value, becomes None."""
    numbers = [float(value) for value in values]
    if any(map(math.isinf, numbers)):
        raise MetricError("a part holds an infinite number; expected finite ones, or NaN for no value")
    return [None if math.isnan(number) else number for number in numbers]


def _failed(item: Generation, metric: Metric, clusters: Mapping[str, str], error: Exception) -> ScoreRow:
    return ScoreRow(
        item_id=item.sample.id,
        seed=item.seed,
        cluster=clusters[item.sample.id],
        metric=metric.info.name,
        metric_version=metric.info.version,
        value=None,
        weight=1.0,
        status="error",
        note=_short(error),
        parts={},
    )


def _short(error: Exception) -> str:
    # The reason alone: a path of this machine would make the rows differ between machines.
    if isinstance(error, VideoUnreadable):
        return f"{error.reason}: {error.detail}"
    return f"{type(error).__name__}: {error}"


def _error(item: Generation, error: Exception, message: str = "") -> dict[str, str]:
    return {
        "item_id": item.sample.id,
        "seed": str(item.seed),
        "stage": "score",
        "class": type(error).__name__,
        "message": message or str(error),
    }


def _append(journal: Journal, item: Generation, scored: Scored, plan: Plan) -> None:
    stream: dict[str, Any] | None = None
    if scored.stream is not None:
        stream = {name: getattr(scored.stream, name) for name in StreamInfo.__slots__}
    rows = [
        {**{name: getattr(row, name) for name in ScoreRow.__slots__}, "protocol": plan.fingerprint(row.metric)}
        for row in scored.rows
        if row.status != "error"  # errors are tried again by the next session
    ]
    journal.append({"item_id": item.sample.id, "seed": item.seed, "stream": stream, "rows": rows})
