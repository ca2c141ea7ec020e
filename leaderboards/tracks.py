"""Runs on several tracks of a suite in one table: rows marked with their track, and rows that are means over tracks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.protocols import MetricInfo
from anisora.harness.record import Counters, Json, MetricResult, Protocol, RunRecord, digest_of
from anisora.harness.runfolder import ScoreRow
from anisora.harness.stages.aggregate import aggregate, item_values
from anisora.harness.suite import Suite, suite_of_run
from anisora.leaderboards.comparability import field_differences
from anisora.leaderboards.pairing import Side, rows_by_metric, shared_clusters
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.table import ColumnChoice, LeaderboardTable, build_table
from anisora.leaderboards.ties import ranked
from anisora.leaderboards.words import Words

__all__ = ["Together", "derived_side", "together", "track_table"]

_POSED: Final = ("items", "track")
"""Protocol fields that differ because the track does: what models are given is part of the items' digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Runs of several tracks, ready to share a table."""

    sides: tuple[Side, ...]
    names: Mapping[str, tuple[str, ...]]
    """{model: its names in the table}"""
    notes: tuple[str, ...]
    """How derived rows came about, and which could not."""


def track_table(
    board: Leaderboard,
    suite: str,
    columns: Sequence[ColumnChoice] = (),
    *,
    models: Sequence[str] = (),
    allow_diff: Collection[str] = (),
    show_untrained: bool = False,
    sort_by: str | None = None,
    language: str = "en",
) -> LeaderboardTable:
    """Build one table of all tracks of a suite.

    Rows of other tracks than the suite's own carry the track in brackets and a dagger, since their systems were given
    something else; rows that the suite derives are made from the runs that are there. Ground truth is that of the
    suite's own track.

    Args:
        board: The leaderboard.
        suite: Name of the suite; its newest version is shown.
        columns: As in ``table.build_table``.
        models: Model names or run ids; of a model all tracks are shown.
        allow_diff: Protocol fields that may differ beside the track.
        show_untrained: As in ``table.build_table``.
        sort_by: As in ``table.build_table``.
        language: As in ``table.build_table``.

    Raises:
        RecordError: There is nothing to show, or runs differ in more than the track.
        UnknownNameError: No run is of such a suite, or of a model.
    """
    words = Words(language)
    records = board.standing_runs(suite)
    newest = max(records, key=lambda record: (record.finished, record.run_id))
    made = together([(record, board.scores(record.run_id)) for record in records], suite_of_run(newest.spec), words)
    chosen: list[str] = []
    for name in models:
        ids = [record.run_id for record, _ in made.sides if record.run_id == name]
        if not ids and name not in made.names:
            known = ", ".join(sorted(made.names))
            raise UnknownNameError("model or run", name, made.names, f"The suite has runs of: {known}.")
        chosen += ids or made.names[name]
    table = build_table(
        [record for record, _ in made.sides],
        columns,
        title=f"{suite}: {words('all_tracks')}",
        models=chosen,
        allow_diff={*allow_diff, *_POSED},
        show_untrained=show_untrained,
        sort_by=sort_by,
        language=language,
    )
    shown = ranked(table, {record.run_id: rows for record, rows in made.sides}, words)
    return replace(shown, footnotes=(*shown.footnotes, *made.notes))


def together(sides: Sequence[Side], suite: Suite | None, words: Words) -> Together:
    """Make runs of several tracks runs of one suite, and add those that the suite derives from them.

    Args:
        sides: Runs of one version of a suite.
        suite: Says which track is its own and what it derives; None: the first track by name is taken for its own.
        words: Of the notes.

    Raises:
        RecordError: There is no run.
    """
    tracks = sorted({record.spec.track or "" for record, _ in sides})
    if not tracks:
        raise RecordError("There is no run to show; evaluate something first.")
    declared = suite.own_track if suite else None
    own = declared if declared in tracks else tracks[0]
    mine = [side for side in sides if (side[0].spec.track or "") == own]
    others = [side for side in sides if (side[0].spec.track or "") != own and not side[0].reference]
    shown = [_named(side, own) for side in (*mine, *others)]
    notes = []
    models = sorted({record.spec.model for record, _ in sides if not record.reference})
    names = {
        model: tuple(dict.fromkeys(_row_name(model, track, own) for track in tracks))
        for model in sorted({record.spec.model for record, _ in sides})
    }
    for name, rule in (suite.derived if suite else {}).items():
        for model in models:
            parts = {track: _newest(sides, model, track) for track in rule.mean_of}
            absent = [track for track, part in parts.items() if part is None]
            if absent:
                if len(absent) < len(parts):
                    notes.append(words("derived_absent", name=name, model=model, tracks=", ".join(absent)))
                continue
            found = {track: part for track, part in parts.items() if part is not None}
            differing = _differing([record for record, _ in found.values()])
            if differing:
                notes.append(words("derived_differs", name=name, model=model, fields=", ".join(differing)))
                continue
            side = derived_side(name, found)
            shown.append(_named(side, own))
            names[model] = (*names[model], _row_name(model, name, own))
            notes.append(words("derived_made", row=_row_name(model, name, own), tracks=", ".join(rule.mean_of)))
    there = {record.spec.model for record, _ in shown}
    return Together(
        sides=tuple(shown),
        names={model: tuple(name for name in each if name in there) for model, each in names.items()},
        notes=tuple(notes),
    )


def derived_side(name: str, parts: Mapping[str, Side]) -> Side:
    """Return the run that is the mean over runs of one model on several tracks.

    Paired by item: an item has a value where it has one on each of the tracks, which is their mean; intervals are made
    from these values as those of any run.

    Args:
        name: Of the derived track.
        parts: {track: run}, all of one model and one protocol but for the track.

    Raises:
        RecordError: The runs disagree on an item's cluster.
    """
    records = [record for record, _ in parts.values()]
    first = records[0]
    clusters: dict[str, str] = {}
    for _, rows in parts.values():
        clusters |= shared_clusters(rows, next(iter(parts.values()))[1])
    by_track = {track: rows_by_metric(rows) for track, (_, rows) in parts.items()}
    shared = [result for result in first.results if all(record.result(result.metric) for record in records)]
    rows = [row for result in shared for row in _mean_rows(result, by_track, clusters)]
    protocol: dict[str, Json] = {**first.protocol.fields, "items": _ids(rows), "track": f"mean of {', '.join(parts)}"}
    metrics = {result.metric: first.protocol.metrics.get(result.metric, {}) for result in shared}
    ids = [record.run_id for record in records]
    record = first.model_copy(
        update={
            "run_id": f"{name}-{digest_of([name, ids])[:10]}",
            "status": "ok",
            "finished": max(record.finished for record in records),
            "spec": first.spec.model_copy(update={"track": name}),
            "results": aggregate(rows, {result.metric: _info(result) for result in shared}, first.population),
            "protocol": Protocol(fields=protocol, metrics=metrics),
            "untrained": next((record.untrained for record in records if record.untrained is not None), None),
            "items": len({row.item_id for row in rows}) or first.items,
            "missing": [],
            "errors": 0,
            "counters": Counters(),
            "timings": {},
            "files": {},
        }
    )
    return record, rows


def _mean_rows(
    result: MetricResult, by_track: Mapping[str, Mapping[str, Sequence[ScoreRow]]], clusters: Mapping[str, str]
) -> list[ScoreRow]:
    values = {track: item_values(rows.get(result.metric, ())) for track, rows in by_track.items()}
    made = []
    for item in sorted(clusters):
        lacking = [track for track, found in values.items() if item not in found]
        scored = [found[item] for found in values.values() if item in found]
        made.append(
            ScoreRow(
                item_id=item,
                seed=0,
                cluster=clusters[item],
                metric=result.metric,
                metric_version=result.version,
                value=None if lacking else sum(value for value, _ in scored) / len(scored),
                weight=1.0 if lacking else sum(weight for _, weight in scored) / len(scored),
                status="unscored" if lacking else "ok",
                note=f"without a value on {', '.join(lacking)}" if lacking else "",
                parts={},
            )
        )
    return made


def _info(result: MetricResult) -> MetricInfo:
    """Return what the aggregation asks of a metric; means over tracks are no longer yes or no."""
    return MetricInfo(
        name=result.metric,
        title=result.metric,
        version=result.version,
        direction=result.direction,
        value_range=(float("-inf"), float("inf")),
        requests=(),
        source="mean over tracks",
    )


def _row_name(model: str, track: str, own: str) -> str:
    return model if track == own else f"{model} [{track}]"


def _named(side: Side, own: str) -> Side:
    """Return a run as one of the suite without a track, under the name that its row has."""
    record, rows = side
    track = record.spec.track or ""
    spec = record.spec.model_copy(update={"track": None, "model": _row_name(record.spec.model, track, own)})
    fields = {"track": track, **record.protocol.fields, "items": _ids(rows)}
    protocol = Protocol(fields=fields, metrics=record.protocol.metrics)
    return record.model_copy(update={"spec": spec, "protocol": protocol}), rows


def _ids(rows: Sequence[ScoreRow]) -> dict[str, Json]:
    """Return which items there are, whatever models were given of them."""
    ids = sorted({row.item_id for row in rows})
    return {"count": len(ids), "ids": digest_of(ids)}


def _newest(sides: Sequence[Side], model: str, track: str) -> Side | None:
    found = [
        side
        for side in sides
        if (side[0].spec.model, side[0].spec.track) == (model, track)
        and side[0].status != "failed"
        and not side[0].reference
    ]
    return max(found, key=lambda side: (side[0].finished, side[0].run_id), default=None)


def _differing(records: Sequence[RunRecord]) -> list[str]:
    """Return the protocol fields in which runs differ, other than those that the track decides."""
    metrics = set.intersection(*({result.metric for result in record.results} for record in records))
    return [each.field for each in field_differences(records, metrics) if each.field not in _POSED]
