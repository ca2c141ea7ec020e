"""A report as one HTML page that needs nothing beside it: styles, script, pictures and videos are inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from anisora.leaderboards.effects import Effect
from anisora.leaderboards.page_parts import board_cell, page_script, page_template, part
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.media import STRIP_FRAMES, Moving
from anisora.leaderboards.report.provenance import environment_rows, licences_of, protocol_paragraph, protocol_rows
from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn
from anisora.leaderboards.words import Words

__all__ = ["Extra", "ExtraTable", "Media", "html_page"]

_SIGNS: Final = {"worse": "−", "better": "+", "alike": "·", "unknown": ""}
_FROZEN: Final = "damage/freeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraTable:
    """A table of texts."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A section that a report has beside those of every suite."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[ExtraTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Pictures and videos of a page, as data URIs."""

    clips: Mapping[tuple[str, str], Moving] = field(default_factory=dict)
    """{(run id, item): clip}"""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """{item: its first conditioning image}"""
    sheet: Mapping[str, str] = field(default_factory=dict)
    """{item: thumbnail}"""
    figures: Mapping[str, str] = field(default_factory=dict)
    """{name: figure}"""


def html_page(data: ReportData, media: Media, words: Words, *, extras: Sequence[Extra] = ()) -> str:
    """Write the page.

    Everything that comes from files and records is escaped; the page may load nothing and run no script but its own.

    Args:
        data: What the report tells.
        media: Its pictures and videos.
        words: The language.
        extras: Sections after the matrix.
    """
    script, script_hash = page_script()
    table = data.table
    context: dict[str, Any] = {
        "say": words,
        "data": data,
        "version": _version(),
        "style": part("page.css"),
        "script": script,
        "script_hash": script_hash,
        "summary": data.suite.introduced(words.language)[1] if data.suite else "",
        "counts": _counts(data, words),
        "date": max(record.finished for record in data.records.values())[:10],
        "untrained": any(row.untrained is not None for row in table.rows),
        "findings": _findings(data, words),
        "leaderboard_note": _leaderboard_note(table, words),
        "board": _board(table, words),
        "matrix": _matrix(data, words),
        "extras": extras,
        "breakdowns": _breakdowns(data, words),
        "examples": _examples(data, media, words),
        "strip_frames": STRIP_FRAMES,
        "sheet": _sheet(data, media),
        "sheet_part": _sheet_part(data, media, words),
        "figures": [{"name": name, "uri": uri} for name, uri in media.figures.items()],
        "paragraph": protocol_paragraph(data, words),
        "protocol": protocol_rows(data),
        "environment": environment_rows(data),
        "work": _work(data, words),
        "licences": licences_of(data),
        "digest": next(iter(data.records.values())).protocol.digest[:16],
    }
    context["contents"] = _contents(context, words)
    return page_template("report", "page.html.j2").render(context)


def _version() -> str:
    import anisora

    return anisora.__version__


def _contents(context: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    sections = [
        ("findings", context["findings"], words("findings")),
        ("leaderboard", True, words("leaderboard")),
        ("matrix", context["matrix"], words("matrix_short")),
        *((extra.id, True, extra.title) for extra in context["extras"]),
        ("breakdown", context["breakdowns"], words("breakdown")),
        ("examples", True, words("examples")),
        ("sheet", context["sheet"], words("sheet")),
        ("figures", context["figures"], words("figures")),
        ("protocol", True, words("protocol")),
        ("own", True, words("own")),
    ]
    return [(name, title) for name, there, title in sections if there]


def _counts(data: ReportData, words: Words) -> str:
    table = data.table
    return words(
        "counts",
        items=max((record.items for record in data.records.values()), default=0),
        clusters=max((cell.clusters for row in table.rows for cell in row.cells), default=0),
        systems=sum(not row.reference for row in table.rows),
        columns=len(table.columns),
    )


def _findings(data: ReportData, words: Words) -> list[tuple[str, bool]]:
    """Return (sentence, whether it is good news), each computed from the rows."""
    matrix, found = data.matrix, []
    if matrix is None:
        return []
    frozen = next((row.model for row in matrix.rows if row.model.partition(":")[0] == _FROZEN), None)
    if frozen is not None:
        preferring, able = matrix.preferring(frozen)
        headers = words("comma").join(column.header for column in preferring)
        names = words("prefer_names", names=headers) if preferring else ""
        text = words("prefer", count=len(preferring), able=len(able), model=frozen, names=names)
        found.append((text, not preferring))
    starred = {cell.metric for row in data.table.rows for cell in row.cells if cell.above_reference}
    able_to = [column for column in data.table.columns if column.direction in ("higher", "lower")]
    found.append((words("starred", count=len(starred), able=len(able_to)), not starred))
    if matrix.expected:
        held = len(matrix.expected) - len(matrix.unmet)
        found.append((words("held", held=held, count=len(matrix.expected)), not matrix.unmet))
        found += [(words("unmet", model=model, metric=metric), False) for model, metric in matrix.unmet]
    return found


def _leaderboard_note(table: LeaderboardTable, words: Words) -> str:
    told = next((cell for row in table.rows for cell in row.cells if cell.low is not None), None)
    if told is None:
        return words("leaderboard_note_plain")
    return words("leaderboard_note", level=f"{100 * told.level:g}", method=told.interval)


def _board(table: LeaderboardTable, words: Words) -> list[tuple[str, list[dict[str, Any]]]]:
    spans = [_span(table, place) for place in range(len(table.columns))]
    truth = next((row for row in table.rows if row.reference), None)
    made: dict[str, list[dict[str, Any]]] = {"systems": [], "truth": []}
    for row in table.rows:
        cells = [
            _board_cell(row, column, cell, span, truth.cells[place].value if truth else None, words)
            for place, (column, cell, span) in enumerate(zip(table.columns, row.cells, spans, strict=True))
        ]
        scored, items, clusters = row.coverage
        name, settings = table.name_and_settings(row)
        line = {
            **{"model": row.model, "name": name, "settings": settings},
            **{"cells": cells, "scored": scored, "planned": items, "clusters": clusters},
        }
        made["truth" if row.reference else "systems"].append(line)
    return [(kind, rows) for kind, rows in made.items() if rows]


def _span(table: LeaderboardTable, place: int) -> tuple[float, float]:
    cells = [row.cells[place] for row in table.rows]
    ends = [end for cell in cells for end in (cell.value, cell.low, cell.high) if end is not None]
    return min(ends, default=0.0), max(ends, default=1.0)


def _board_cell(
    row: Row, column: TableColumn, cell: Cell, span: tuple[float, float], truth: float | None, words: Words
) -> dict[str, Any]:
    def place(value: float) -> float:
        low, high = span
        return round(3 + 94 * (value - low) / (high - low or 1.0), 2)

    made = board_cell(row, column, cell, words)
    if cell.value is not None and cell.low is not None and cell.high is not None:
        made["bar"] = [place(cell.low), place(cell.value), place(cell.high)]
    made["truth"] = None if truth is None else place(truth)
    return made


def _matrix(data: ReportData, words: Words) -> list[dict[str, Any]]:
    if data.matrix is None:
        return []
    return [
        {
            "name": f"{row.model.partition(':')[0]}{row.warnings}",
            "settings": row.model.partition(":")[2],
            "cells": [
                _matrix_cell(column, effect, words)
                for column, effect in zip(data.matrix.columns, row.effects, strict=True)
            ],
        }
        for row in data.matrix.rows
    ]


def _matrix_cell(column: TableColumn, effect: Effect, words: Words) -> dict[str, str]:
    classes = [effect.verdict, *(["expected"] if effect.expected else []), *([] if effect.held else ["broken"])]
    title = [column.metric, words(effect.verdict), *([words("expected")] if effect.expected else [])]
    text = ""
    estimate = effect.difference.estimate if effect.difference else None
    if estimate is not None and estimate.value is not None:
        text = f"{'+' if estimate.value > 0 else ''}{column.format(estimate.value)}"
        if estimate.low is not None and estimate.high is not None:
            title.append(f"[{column.format(estimate.low)}, {column.format(estimate.high)}]")
    return {
        "classes": " ".join(classes),
        "title": words("separator").join(title),
        "sign": _SIGNS[effect.verdict],
        "text": text,
    }


def _breakdowns(data: ReportData, words: Words) -> list[dict[str, Any]]:
    made = []
    for breakdown in data.breakdowns:
        tables = []
        for metric in breakdown.metrics:
            rows = [
                {
                    "group": group,
                    "size": size,
                    "cells": [
                        {
                            "text": "-" if cell.value is None else metric.column.format(cell.value),
                            "partial": ""
                            if cell.items in (0, size)
                            else words("scored", scored=cell.items, items=size),
                        }
                        for cell in cells
                    ],
                }
                for group, size, cells in zip(breakdown.groups, breakdown.sizes, metric.cells, strict=True)
            ]
            tables.append({"metric": metric.column.metric, "header": metric.column.header, "rows": rows})
        made.append({"title": words(breakdown.name), "tables": tables})
    return made


def _examples(data: ReportData, media: Media, words: Words) -> list[dict[str, Any]]:
    made = []
    rows = sorted(data.table.rows, key=lambda row: not row.reference)
    for choice in data.choices:
        clips = [
            {"name": data.table.name(row), "truth": row.reference, "moving": media.clips[row.run_id, choice.item]}
            for row in rows
            if (row.run_id, choice.item) in media.clips
        ]
        if not clips:
            continue
        sample = data.samples.get(choice.item)
        made.append(
            {
                "kind": choice.kind,
                "title": choice.item if sample is None or not sample.label else f"{choice.item} · {sample.label}",
                "prompt": (sample.prompt or "") if sample else "",
                "measure": words("quality", value=f"{choice.quality:.2f}", dispute=f"{choice.dispute:.2f}"),
                "condition": media.conditions.get(choice.item),
                "clips": clips,
            }
        )
    return made


def _sheet(data: ReportData, media: Media) -> list[dict[str, str]]:
    return [
        {"item": item, "picture": picture, "label": (data.samples[item].label or "") if item in data.samples else ""}
        for item, picture in media.sheet.items()
    ]


def _sheet_part(data: ReportData, media: Media, words: Words) -> str:
    if not media.sheet or len(media.sheet) == len(data.items):
        return ""
    return words("sheet_part", shown=len(media.sheet), items=len(data.items))


def _work(data: ReportData, words: Words) -> str:
    counters = [record.counters for record in data.records.values()]
    return words(
        "work",
        decodes=sum(counter.decodes for counter in counters),
        frames=sum(counter.frames for counter in counters),
        hits=sum(counter.cache_hits for counter in counters),
    )
