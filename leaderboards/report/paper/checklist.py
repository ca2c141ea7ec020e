"""The reproducibility checklist of a paper, filled from the records of the runs: it claims nothing beyond them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anisora.harness.record import Json, RunRecord
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.provenance import environment_rows, licences_of
from anisora.leaderboards.table import Cell
from anisora.leaderboards.words import Words

__all__ = ["Check", "checklist"]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_HARDWARE: Final = ("platform", "machine", "cpus", "devices")
"""Fields of the environment."""
_SHORT: Final = 12
"""Characters of a digest that are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the checklist."""

    question: str
    answer: bool | None
    """None where the line gives a value and there is no yes or no."""
    detail: str
    where: str
    """Of the record, or of what else the answer was read from."""


def checklist(data: ReportData, words: Words) -> list[Check]:
    """Answer the questions of a reproducibility checklist.

    Args:
        data: The report, whose records are asked.
        words: The language of questions and answers; fields of a record are named as they are.
    """
    asked = _Asked(data, words)
    return [
        *_items(asked),
        *_statistics(asked),
        *_scoring(asked),
        *_surroundings(asked),
    ]


class _Asked:
    """The records with what every answer needs: values that differ between runs are told with how many have them."""

    def __init__(self, data: ReportData, words: Words) -> None:
        self.data, self.words = data, words
        self.records: Sequence[RunRecord] = tuple(data.records.values())
        self.cells: Sequence[Cell] = [cell for row in data.table.rows for cell in row.cells if cell.value is not None]

    def each(self, value_of: Callable[[RunRecord], Json]) -> str:
        """Return the value of all runs, or each value with the number of its runs; empty where none has one."""
        counts: dict[str, int] = {}
        for record in self.records:
            value = value_of(record)
            text = "" if value in (None, "", [], {}) else _text(value)
            counts[text] = counts.get(text, 0) + 1
        if len(counts) == 1:
            return next(iter(counts))
        words = self.words
        missing = words("check_not_recorded")
        told = [
            words("check_in_runs", value=text or missing, count=count, all=len(self.records))
            for text, count in counts.items()
        ]
        return words("separator").join(told)

    def field(self, name: str) -> str:
        """Return a field of the protocol."""
        return self.each(lambda record: record.protocol.fields.get(name))

    def environment(self, name: str) -> str:
        """Return a field of the environment."""
        return self.each(lambda record: record.environment.get(name))

    def value(self, question: str, detail: str, where: str) -> Check:
        """Make a line that has a value; the answer is no where nothing is recorded."""
        words = self.words
        if detail:
            return Check(question=question, answer=None, detail=detail, where=where)
        return Check(question=question, answer=False, detail=words("check_not_recorded"), where=where)

    def yes_or_no(self, question: str, answer: bool, detail: str, where: str) -> Check:
        """Make a line with an answer."""
        return Check(question=question, answer=answer, detail=detail, where=where)

    def listed(self, names: Iterable[str]) -> str:
        """Join names, each once."""
        words = self.words
        return words("comma").join(dict.fromkeys(names))


def _text(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    return str(value)


def _items(asked: _Asked) -> list[Check]:
    words, records = asked.words, asked.records
    digests = [record.protocol.fields.get("items") for record in records]
    hashed = [isinstance(items, dict) and _DIGEST.fullmatch(str(items.get("sha256"))) is not None for items in digests]
    told = asked.each(lambda record: _short(record.protocol.fields.get("items")))
    whole = [
        record for record in records if record.population is None and not record.spec.limit and not record.spec.labels
    ]
    part = (
        words("check_runs_of_part", count=len(records) - len(whole), all=len(records))
        if len(whole) < len(records)
        else ""
    )
    full = sum(cell.scored == cell.items for cell in asked.cells)
    clusters = sorted({cell.clusters for cell in asked.cells})
    span = "" if not clusters else str(clusters[0]) if len(clusters) == 1 else f"{clusters[0]}\N{EN DASH}{clusters[-1]}"
    truth = [record.spec.model for record in records if record.reference]
    return [
        asked.value(
            words("check_suite"), asked.each(lambda record: record.suite_key), "spec.suite, spec.suite_version"
        ),
        asked.yes_or_no(
            words("check_items"), all(hashed), told or words("check_not_recorded"), "protocol.fields.items"
        ),
        asked.yes_or_no(words("check_whole"), not part, part, "population, spec.limit, spec.labels"),
        asked.yes_or_no(
            words("check_scored"),
            full == len(asked.cells),
            words("check_of_cells", count=full, all=len(asked.cells)),
            "results.scored, items",
        ),
        asked.value(words("check_clusters"), span, "results.clusters"),
        asked.value(words("check_seeds"), asked.each(lambda record: record.spec.seeds), "spec.seeds"),
        asked.value(words("check_samples"), asked.field("samples_per_item"), "protocol.fields.samples_per_item"),
        asked.yes_or_no(words("check_truth"), bool(truth), asked.listed(truth), "reference"),
    ]


def _short(items: Json) -> Json:
    if not isinstance(items, dict):
        return items
    return f"{items.get('count')}, SHA-256 {str(items.get('sha256'))[:_SHORT]}…"


def _statistics(asked: _Asked) -> list[Check]:
    words, cells = asked.words, asked.cells
    with_interval = [cell for cell in cells if cell.low is not None]
    methods = asked.listed(f"{100 * cell.level:g} % {cell.interval}" for cell in with_interval)
    counted = words("check_of_cells", count=len(with_interval), all=len(cells))
    told = words("comma").join(filter(None, (methods, counted)))
    corrected = any(cell.rank_low is not None for cell in cells)
    return [
        asked.value(words("check_aggregation"), asked.field("aggregation"), "protocol.fields.aggregation"),
        asked.yes_or_no(
            words("check_intervals"),
            bool(cells) and len(with_interval) == len(cells),
            told,
            "results.low, results.high, results.interval",
        ),
        asked.yes_or_no(
            words("check_correction"),
            corrected,
            words("check_max_t" if corrected else "check_no_test"),
            words("check_from_rows"),
        ),
    ]


def _scoring(asked: _Asked) -> list[Check]:
    words, records = asked.words, asked.records
    shown = [column.metric for column in asked.data.table.columns]
    versions: dict[str, dict[str, None]] = {}
    for record in records:
        for metric, entry in record.protocol.metrics.items():
            if metric in shown:
                versions.setdefault(metric, {})[str(entry.get("version"))] = None
    told = asked.listed(f"{metric} {'/'.join(versions[metric])}" for metric in shown if metric in versions)
    weights = {name: digest for record in records for name, digest in sorted(record.weights.items())}
    hashed = all(_DIGEST.fullmatch(digest) for digest in weights.values())
    listed = asked.listed(f"{name} {digest[:_SHORT]}…" for name, digest in sorted(weights.items()))
    untrained = asked.listed(record.untrained for record in records if record.untrained)
    daggers = asked.data.table.daggers
    differing = (
        words("check_differs", fields=asked.listed(f"{field} {mark}" for field, mark in daggers)) if daggers else ""
    )
    digests = asked.each(lambda record: record.protocol.digest[:_SHORT])
    return [
        asked.value(words("check_metrics"), told, "protocol.metrics"),
        asked.yes_or_no(words("check_weights"), hashed, listed or words("check_no_weights"), "weights"),
        asked.yes_or_no(words("check_trained"), not untrained, untrained, "untrained"),
        asked.yes_or_no(
            words("check_protocol"),
            not daggers,
            words("separator").join(filter(None, (differing, words("check_fingerprints", digests=digests)))),
            "protocol",
        ),
        asked.value(words("check_decoder"), _decoder(asked), "environment.decoder, environment.versions"),
        asked.value(words("check_colours"), asked.field("decode"), "protocol.fields.decode"),
        asked.value(words("check_encoder"), asked.field("encoder"), "protocol.fields.encoder"),
        asked.value(words("check_frames"), _frames(asked), "protocol.fields"),
        asked.value(words("check_prompts"), asked.field("prompt_rewriting"), "protocol.fields.prompt_rewriting"),
    ]


def _decoder(asked: _Asked) -> str:
    def told(record: RunRecord) -> Json:
        name = record.environment.get("decoder")
        versions = record.environment.get("versions")
        version = versions.get(str(name)) if isinstance(versions, dict) else None
        return f"{name} {version}" if name and version else name

    return asked.each(told)


def _frames(asked: _Asked) -> str:
    def told(record: RunRecord) -> Json:
        fields: Mapping[str, Any] = record.protocol.fields
        names = [name for name in ("frame_rate", "length", "resize") if fields.get(name) is not None]
        return ", ".join(f"{name} {_text(fields[name])}" for name in names)

    return asked.each(told)


def _surroundings(asked: _Asked) -> list[Check]:
    words, records = asked.words, asked.records
    rows = dict(environment_rows(asked.data))
    hardware = map(asked.environment, _HARDWARE)
    commits = asked.each(lambda record: str(record.git.get("commit") or "")[:_SHORT])
    clean = all(record.git.get("commit") and record.git.get("dirty") is False for record in records)
    changed = words("check_changed") if any(record.git.get("dirty") for record in records) else ""
    others = {*_HARDWARE, "git", "device", "metric_device", "dtype", "decoder"}
    named = [name for name in rows if name not in others]
    files = [{"clips.parquet", "scores.parquet"} <= record.files.keys() for record in records]
    failures = (
        words("check_failures", count=sum(record.errors for record in records)),
        words("check_missing", count=sum(len(record.missing) for record in records)),
    )
    seconds = sum(sum(record.timings.values()) for record in records)
    licences: dict[str, list[str]] = {}
    for it in licences_of(asked.data):
        licences.setdefault(it.licence, []).append(it.name)
    told = (words("check_told", answer=licence, detail=asked.listed(names)) for licence, names in licences.items())
    device = map(asked.environment, ("metric_device", "dtype"))
    return [
        asked.value(words("check_versions"), asked.listed(f"{name} {rows[name]}" for name in named), "environment"),
        asked.yes_or_no(
            words("check_code"),
            clean,
            words("comma").join(filter(None, (commits, changed))) or words("check_not_recorded"),
            "git",
        ),
        asked.value(words("check_hardware"), words("comma").join(filter(None, hardware)), "environment"),
        asked.value(words("check_device"), words("comma").join(filter(None, device)), "environment"),
        asked.yes_or_no(
            words("check_files"), all(files), words("check_runs", count=sum(files), all=len(files)), "files"
        ),
        asked.yes_or_no(
            words("check_status"),
            all(record.status == "ok" and not record.errors and not record.missing for record in records),
            words("comma").join(failures),
            "status, errors, missing",
        ),
        asked.value(words("check_time"), words("check_seconds", count=f"{seconds:.0f}") if seconds else "", "timings"),
        asked.value(words("check_licences"), words("separator").join(told), words("check_from_registry")),
    ]
