"""Whether a record and the rows of a bundle say the same, in themselves and to each other."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from anisora.harness.errors import AnisoraError, RecordError
from anisora.harness.protocols import MetricInfo
from anisora.harness.record import MetricResult, RunRecord, canonical_json
from anisora.harness.registry import Spec, registry
from anisora.harness.runfolder import ScoreRow
from anisora.harness.stages.aggregate import aggregate
from anisora.harness.statistics.proportion import SHARE_METHOD
from anisora.leaderboards.submissions.rows import BundledClip

__all__ = ["check_run"]

_RUN_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST_NAME: Final = 200
_LONGEST_SPEC: Final = 2000
_TOLERANCE: Final = 1e-12
"""Of recomputed aggregates, relative and absolute: sums may be taken in another order elsewhere."""
_RANGE_SLACK: Final = 1e-9
"""A sum of many frames may end a little outside the range of the metric."""
_MOST_COUNT: Final = 2**31 - 1
_CLOCKS_DIFFER: Final = timedelta(days=1)
_COUNTS: Final = ("scored", "unscored", "errors", "clusters")
_NUMBERS: Final = ("value", "low", "high", "level", "standard_error", "unweighted")


def check_run(record: RunRecord, rows: Sequence[ScoreRow], clips: Sequence[BundledClip]) -> None:
    """Refuse a run whose parts contradict one another, in the order in which they build on each other.

    The aggregates are computed again from the rows by the function that a run uses.

    Raises:
        RecordError: Something does not fit; the message names it, and has both values.
    """
    for fault in _faults(record, rows, clips):
        raise RecordError(f"Run {_shown(record.run_id)}: {fault}; the bundle was left out. Make it again from the run.")


def _faults(record: RunRecord, rows: Sequence[ScoreRow], clips: Sequence[BundledClip]) -> Iterator[str]:
    infos = _infos(record)
    yield from _of_names(record)
    yield from _of_record(record)
    yield from _of_rows(record, rows)
    yield from _of_values(record, rows)
    yield from _of_items(record, rows, clips)
    yield from _of_results(record, rows, infos)


def _of_names(record: RunRecord) -> Iterator[str]:
    spec = record.spec
    if not _RUN_ID.fullmatch(record.run_id):
        yield "its id is no name of a run folder; expected letters, digits, `.`, `_` and `-`"
    for field, name in (("model", spec.model), ("suite", spec.suite), ("track", spec.track or "-")):
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            yield f"`{field}` is {_shown(name)} ({len(name):,} characters); expected up to {_LONGEST_NAME} printable"
    try:
        Spec.parse(spec.model_spec[:_LONGEST_SPEC])
        readable = len(spec.model_spec) <= _LONGEST_SPEC and spec.model_spec.isprintable()
    except AnisoraError:
        readable = False
    if not readable:
        yield (
            f"`model_spec` is {_shown(spec.model_spec)} ({len(spec.model_spec):,} characters); expected name:key=value "
            f"of up to {_LONGEST_SPEC}"
        )


def _of_record(record: RunRecord) -> Iterator[str]:
    try:
        # Not in JSON mode, which would turn what is no number into null.
        canonical_json(record.model_dump())
    except ValueError:
        yield "record.json holds a number that is not finite; expected finite ones or null"
    if record.status == "failed":
        yield "it failed; expected a run that was scored"
    names = [result.metric for result in record.results]
    if not names:
        yield "it has no results; expected at least one metric"
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        yield f"metric {_shown(twice)} has two results; expected one"
    yield from _of_numbers(record)
    yield from _of_times(record)
    if (record.errors == 0) != (record.status == "ok"):
        yield f"`status` is {record.status!r} with {record.errors} errors; expected 'ok' for none, else 'partial'"
    if record.reference != (record.spec.model_spec == "ground-truth"):
        yield (
            f"`reference` is {record.reference} for the model {_shown(record.spec.model_spec)}; only `ground-truth` is "
            "the ground truth"
        )
    random = next((name for name, digest in record.weights.items() if digest.startswith("untrained:")), None)
    if random is not None and record.untrained is None:
        yield f"the weights {_shown(random)} are random, and `untrained` is null; expected the rule that made them"
    for result in record.results:
        told = record.protocol.metrics.get(result.metric, {}).get("version", result.version)
        if told != result.version or isinstance(told, bool):
            yield f"metric {_shown(result.metric)} has version {result.version}, its protocol says {told!r}"


def _of_numbers(record: RunRecord) -> Iterator[str]:
    told = {"items": record.items, "errors": record.errors, "suite_version": record.spec.suite_version}
    told |= {f"version of {_shown(result.metric)}": result.version for result in record.results}
    for name, number in told.items():
        least = 1 if name == "items" else 0
        if not least <= number <= _MOST_COUNT:
            yield f"`{name}` is {_short(number)}; expected {least} to {_MOST_COUNT}"


def _of_times(record: RunRecord) -> Iterator[str]:
    try:
        started, finished = datetime.fromisoformat(record.started), datetime.fromisoformat(record.finished)
        plausible = started <= finished <= datetime.now(UTC) + _CLOCKS_DIFFER
    except (ValueError, TypeError):  # TypeError: one of the two names no time zone
        plausible = False
    if not plausible:
        yield (
            f"it started {_short(record.started)} and finished {_short(record.finished)}; expected two times with zone "
            "(ISO 8601), in this order, and not to come"
        )


def _of_rows(record: RunRecord, rows: Sequence[ScoreRow]) -> Iterator[str]:
    results = {result.metric: result for result in record.results}
    seen: set[tuple[str, str, int]] = set()
    clusters: dict[str, str] = {}
    for row in rows:
        result = results.get(row.metric)
        if result is None:
            yield f"{_place(row)} is of a metric that the record has no result of"
        elif row.metric_version != result.version:
            yield f"{_place(row)} is of version {row.metric_version}, the record has {result.version}"
        if row.key in seen:
            yield f"{_place(row)} is there twice; expected one row for each item, seed and metric"
        if row.seed not in record.spec.seeds:
            yield f"{_place(row)} is of a seed that was not asked for; expected one of {_seeds(record)}"
        if clusters.setdefault(row.item_id, row.cluster) != row.cluster:
            yield f"{_place(row)} is in the cluster {_shown(row.cluster)}, another row of the item is not"
        seen.add(row.key)


def _of_values(record: RunRecord, rows: Sequence[ScoreRow]) -> Iterator[str]:
    ranges = _ranges(record)
    for row in rows:
        if row.status not in ("ok", "unscored", "error"):
            yield f"{_place(row)} has the status {_shown(row.status)}; expected ok, unscored or error"
        if (row.status == "ok") != (row.value is not None):
            yield f"{_place(row)} has the status {row.status} and the value {row.value}; only ok has a value"
        if row.value is not None and not math.isfinite(row.value):
            yield f"{_place(row)} has the value {row.value}; expected a finite number"
        if not (math.isfinite(row.weight) and row.weight >= 0):
            yield f"{_place(row)} has the weight {row.weight}; expected a finite number that is not negative"
        low, high = ranges.get(row.metric, (-math.inf, math.inf))
        if row.value is not None and not low - _RANGE_SLACK <= row.value <= high + _RANGE_SLACK:
            yield f"{_place(row)} has the value {row.value!r}; the metric's range is {low:g} to {high:g}"


def _of_items(record: RunRecord, rows: Sequence[ScoreRow], clips: Sequence[BundledClip]) -> Iterator[str]:
    made: set[tuple[str, int]] = set()
    for clip in clips:
        key = (clip.item_id, clip.seed)
        if key in made:
            yield f"clips.parquet has item {_shown(clip.item_id)}, seed {clip.seed} twice"
        if clip.fps is not None and not (math.isfinite(clip.fps) and clip.fps > 0):
            yield f"clips.parquet has item {_shown(clip.item_id)} at {clip.fps} frames a second; expected more than 0"
        if any(size is not None and size < 0 for size in (clip.frames, clip.height, clip.width)):
            yield f"clips.parquet has item {_shown(clip.item_id)} with a negative size"
        made.add(key)
    unmade = next((row for row in rows if row.status == "ok" and (row.item_id, row.seed) not in made), None)
    if unmade is not None:
        yield f"{_place(unmade)} has a value, and clips.parquet no clip of it"
    items = {row.item_id for row in rows}
    missing = {name.rpartition("-")[0] for name in record.missing} - items
    if len(items) + len(missing) != record.items:
        yield (
            f"`items` is {record.items}, but there are rows of {len(items)} items and {len(missing)} others are told "
            "missing"
        )
    by_metric: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_metric[row.metric].add(row.item_id)
    for result in record.results:
        if len(by_metric[result.metric]) != len(items):
            yield (
                f"metric {_shown(result.metric)} has rows of {len(by_metric[result.metric])} items, others of "
                f"{len(items)}; items that could not be scored keep a row"
            )
    failed = sum(row.status == "error" for row in rows)
    if failed and not record.errors:
        yield f"`errors` is 0, but {failed} rows have the status error"


def _of_results(record: RunRecord, rows: Sequence[ScoreRow], infos: Mapping[str, MetricInfo]) -> Iterator[str]:
    again = {result.metric: result for result in aggregate(rows, infos, record.population)}
    for result in record.results:
        yield from _of_result(result, again[result.metric])


def _of_result(told: MetricResult, found: MetricResult) -> Iterator[str]:
    for field in ("direction", *_COUNTS, "interval", "interval_note"):
        mine, theirs = getattr(told, field), getattr(found, field)
        if mine != theirs:
            yield f"`{field}` of {_shown(told.metric)} is {_short(mine)} in the record, {_short(theirs)} by its rows"
    for field in _NUMBERS:
        mine, theirs = getattr(told, field), getattr(found, field)
        if not _equal(mine, theirs):
            yield f"`{field}` of {_shown(told.metric)} is {mine!r} in the record, {theirs!r} by its rows"


def _equal(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    return math.isclose(left, right, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _infos(record: RunRecord) -> dict[str, MetricInfo]:
    """Return what aggregation needs to know of each metric: what is installed, where the version is the same."""
    return {
        result.metric: MetricInfo(
            name=result.metric,
            title=result.metric,
            version=result.version,
            direction=installed.direction if installed is not None else result.direction,
            value_range=(-math.inf, math.inf),
            requests=(),
            source="",
            binary=installed.binary if installed is not None else result.interval == SHARE_METHOD,
        )
        for result, installed in _with_installed(record)
    }


def _ranges(record: RunRecord) -> dict[str, tuple[float, float]]:
    return {
        result.metric: (0.0, 1.0) if installed is None else installed.value_range
        for result, installed in _with_installed(record)
        if installed is not None or result.interval == SHARE_METHOD
    }


def _with_installed(record: RunRecord) -> Iterable[tuple[MetricResult, MetricInfo | None]]:
    metrics = registry("metrics")
    for result in record.results:
        info = metrics.create(result.metric).info if result.metric in metrics else None
        yield result, info if info is not None and info.version == result.version else None


def _seeds(record: RunRecord) -> str:
    return _short(record.spec.seeds)


def _place(row: ScoreRow) -> str:
    return f"the row of {_shown(row.metric)}, item {_shown(row.item_id)}, seed {row.seed}"


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:120]}..."


def _shown(name: str) -> str:
    """Write a name that may hold anything, and be of any length."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return f"`{text if len(text) <= 80 else text[:80] + '...'}`"
