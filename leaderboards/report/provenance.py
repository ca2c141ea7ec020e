"""Where the numbers of a report come from: the protocol as a paragraph, the environment, the licences."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from anisora.harness.errors import AnisoraError
from anisora.harness.record import Json, RunRecord
from anisora.harness.registry import Spec, registry
from anisora.harness.weights import list_entries
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.words import Words

__all__ = ["Licence", "environment_rows", "licences_of", "protocol_paragraph", "protocol_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What somebody who uses the report's numbers or clips has to respect."""

    kind: str
    """``metric``, ``weights``, ``model`` or ``items``."""
    name: str
    licence: str
    source: str


def protocol_paragraph(data: ReportData, words: Words) -> str:
    """Describe how the numbers were made, as the paragraph of a paper."""
    record = _representative(data)
    fields = record.protocol.fields
    clusters = max((cell.clusters for row in data.table.rows for cell in row.cells), default=0)
    sentences = [
        words(
            "paragraph_items",
            suite=data.table.suite_key,
            items=record.items,
            clusters=clusters,
            seeds=_listed(words, (str(seed) for seed in record.spec.seeds)),
        ),
        words("paragraph_clips", encoder=fields.get("encoder") or "-", decode=fields.get("decode")),
        words("paragraph_metrics", metrics=_listed(words, _metric_phrases(data, words))),
        words("paragraph_aggregation", aggregation=fields.get("aggregation")),
        words("paragraph_fingerprint", digest=record.protocol.digest[:16], version=_version()),
    ]
    return (" " if words.language == "en" else "").join(sentences)


def _representative(data: ReportData) -> RunRecord:
    """The first run of a generated system, else the only one."""
    records = list(data.records.values())
    return next((record for record in records if not record.reference), records[0])


def _metric_phrases(data: ReportData, words: Words) -> list[str]:
    phrases = []
    for column in data.table.columns:
        protocols = (record.protocol.metrics for record in data.records.values())
        entry = next((metrics[column.metric] for metrics in protocols if column.metric in metrics), None)
        if entry is None:  # a column that no run has
            continue
        parts = [part for part in entry.values() if isinstance(part, dict)]
        sampling = "+".join(sorted({str(part["sampling"]) for part in parts if "sampling" in part}))
        phrases.append(words("paragraph_metric", metric=column.metric, version=entry.get("version"), frames=sampling))
    return phrases


def _listed(words: Words, names: Iterable[str]) -> str:
    return words("comma").join(names)


def _version() -> str:
    import anisora

    return anisora.__version__


def protocol_rows(data: ReportData) -> list[tuple[str, str]]:
    """Return (field, value) of the protocol that the runs share, one line a field, metrics in short."""
    record = _representative(data)
    rows = [(name, _text(value)) for name, value in record.protocol.fields.items()]
    shown = {column.metric for column in data.table.columns}
    for metric, entry in record.protocol.metrics.items():
        if metric in shown:
            rows += [(f"{metric}.{name}", _text(value)) for name, value in entry.items()]
    return rows


def environment_rows(data: ReportData) -> list[tuple[str, str]]:
    """Return (what, value) of where the runs were made; what differs between them is told with all its values."""
    rows: dict[str, dict[str, None]] = {}
    for record in data.records.values():
        for name, value in record.environment.items():
            parts = value.items() if name == "versions" and isinstance(value, dict) else [(name, value)]
            for key, part in parts:
                rows.setdefault(key, {})[_text(part)] = None
        commit = record.git.get("commit")
        if commit:
            dirty = " (changed)" if record.git.get("dirty") else ""
            rows.setdefault("git", {})[f"{str(commit)[:12]}{dirty}"] = None
    return [(name, ", ".join(values)) for name, values in rows.items()]


def _text(value: Json) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def licences_of(data: ReportData) -> list[Licence]:
    """Return the licences of metrics, weights, systems and items; what is not registered here is left out."""
    found = []
    metrics = registry("metrics")
    for column in data.table.columns:
        if column.metric in metrics:
            info = metrics.create(column.metric).info
            found.append(Licence(kind="metric", name=column.metric, licence=info.licence, source=info.source))
    entries = {entry.name: entry for entry in list_entries()}
    for name in sorted({name for record in data.records.values() for name in record.weights}):
        if name in entries:
            entry = entries[name]
            found.append(Licence(kind="weights", name=name, licence=entry.licence, source=entry.purpose))
    for record in data.records.values():
        found += _of_model(record)
    items = {
        (str(sample.metadata["licence"]), str(sample.metadata.get("attribution") or "-")): None
        for sample in data.samples.values()
        if "licence" in sample.metadata
    }
    name = (data.suite and data.suite.dataset) or data.table.suite_key
    found += [Licence(kind="items", name=name, licence=licence, source=source) for licence, source in items]
    return found


def _of_model(record: RunRecord) -> list[Licence]:
    system = record.made_by
    if "organisation" in system:
        source = f"{system['title']}, {system['organisation']}"
        return [Licence(kind="model", name=record.spec.model, licence=str(system["licence"]), source=source)]
    try:
        info = registry("models").create(Spec.parse(record.spec.model_spec)).info
    except AnisoraError:  # of a package that is not installed here
        return []
    return [Licence(kind="model", name=record.spec.model, licence=info.licence, source=info.summary)]
