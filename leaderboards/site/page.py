"""The pages of a site as texts: each stands alone with its styles and script, and links to the others."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from anisora.harness.record import Json, MetricResult, RunRecord
from anisora.leaderboards.page_parts import board_cell, page_script, page_template, part
from anisora.leaderboards.render import render
from anisora.leaderboards.site.data import SiteData, SuiteData, TableGroup
from anisora.leaderboards.site.words import SiteWords
from anisora.leaderboards.submission import STATUSES, Submission
from anisora.leaderboards.table import LeaderboardTable, Row

__all__ = ["BOARD", "INDEX", "file_name", "site_pages"]

INDEX: Final = "index.html"
BOARD: Final = "leaderboard.duckdb"

_LONGEST_SLUG: Final = 48


def file_name(name: str) -> str:
    """Return a name that is safe in any file system and address, and different for different names.

    Example:
        >>> file_name("../damage/freeze:severity=1")
        'damage-freeze-severity-1-dc9607725e'
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_SLUG].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{slug}-{digest}" if slug else digest


def site_pages(data: SiteData, language: str = "en") -> dict[str, str]:
    """Return {path below the site's folder: content} of all pages and tables; equal boards give equal texts.

    Everything that comes from records is escaped; a page may load nothing and run no script but its own.

    Args:
        data: The board.
        language: ``en`` or ``zh``.

    Raises:
        ConfigError: The language is not known.
    """
    say = SiteWords(language)
    date = max((suite.finished for suite in data.suites), default="-")[:10]
    pages = {INDEX: _index(data, say, date)}
    for suite in data.suites:
        pages[_suite_path(suite.key)] = _suite(suite, data.submissions, say, date)
        for number, group in enumerate(suite.groups, start=1):
            pages[f"suites/{_table_name(suite.key, number)}"] = render(group.table, "json")
        for record in suite.records:
            pages[_run_path(record.run_id)] = _run(suite, record, data.submissions[record.run_id], say, date)
    return pages


def _suite_path(key: str) -> str:
    return f"suites/{file_name(key)}.html"


def _table_name(key: str, number: int) -> str:
    return f"{file_name(key)}-{number}.json"


def _run_path(run_id: str) -> str:
    return f"runs/{file_name(run_id)}.html"


@cache
def _shared() -> dict[str, str]:
    """Return what every page holds: the styles of reports and a little more, and their script, which sorts tables."""
    import anisora

    script, script_hash = page_script()
    style = part("page.css") + part("site.css", "site")
    return {"script": script, "style": style, "script_hash": script_hash, "version": anisora.__version__}


def _page(
    template: str, say: SiteWords, heading: str, date: str, crumbs: Sequence[tuple[str, str]], **context: object
) -> str:
    return page_template("site", template).render(
        say=say, heading=heading, date=date, crumbs=crumbs, **_shared(), **context
    )


def _index(data: SiteData, say: SiteWords, date: str) -> str:
    suites = [
        {
            "href": _suite_path(suite.key),
            "title": suite.title,
            "key": suite.key,
            "systems": len({record.spec.model for record in suite.records if not record.reference}),
            "runs": len(suite.records),
            "withdrawn": len(suite.withdrawn),
            "finished": suite.finished[:10],
        }
        for suite in data.suites
    ]
    return _page("index.html.j2", say, say("site_title"), date, (), suites=suites, board=BOARD, statuses=STATUSES)


def _suite(suite: SuiteData, submissions: Mapping[str, Submission], say: SiteWords, date: str) -> str:
    def link(record: RunRecord) -> dict[str, str]:
        return {"href": f"../{_run_path(record.run_id)}", "model": record.spec.model, "id": record.run_id}

    protocols = sum(not group.untrained for group in suite.groups)
    groups = [
        {
            "id": f"table-{number}",
            "heading": _heading(suite, group, number, say),
            "untrained": group.untrained,
            "table": group.table,
            "bodies": _bodies(group.table, submissions, say),
            "json": _table_name(suite.key, number),
        }
        for number, group in enumerate(suite.groups, start=1)
    ]
    withdrawn = [
        {
            **link(record),
            "date": str(submissions[record.run_id].withdrawn)[:10],
            "reason": submissions[record.run_id].reason,
        }
        for record in suite.withdrawn
    ]
    return _page(
        "suite.html.j2",
        say,
        suite.title,
        date,
        ((f"../{INDEX}", say("home")), *((f"#{group['id']}", str(group["heading"])) for group in groups[1:])),
        key=suite.key,
        summary=suite.summary,
        protocols=protocols,
        groups=groups,
        withdrawn=withdrawn,
        others=[{**link(other.record), "reason": other.reason} for other in suite.others],
    )


def _heading(suite: SuiteData, group: TableGroup, number: int, say: SiteWords) -> str:
    alike = [other for other in suite.groups if other.untrained == group.untrained]
    name = say("untrained_title") if group.untrained else say("table_one")
    if len(alike) == 1:
        return name
    values = [say("field_value", field=field, value=value) for field, value in group.differs]
    told = say("separator").join(values) or say("alone")
    numbered = say("table_many", number=number, told=told)
    return f"{name} – {numbered}" if group.untrained else numbered


def _bodies(
    table: LeaderboardTable, submissions: Mapping[str, Submission], say: SiteWords
) -> list[tuple[str, list[dict[str, Any]]]]:
    systems = [row for row in table.rows if not (row.reference or row.baseline)]
    baselines = [row for row in table.rows if row.baseline and not row.reference]
    truth = [row for row in table.rows if row.reference]
    # The script sorts the first body: that of the systems is there even if it is empty.
    bodies = [("systems", systems), ("baselines truth", baselines), ("truth", truth)]
    return [
        (kind, [_row(table, row, submissions[row.run_id], say) for row in rows])
        for kind, rows in bodies
        if rows or kind == "systems"
    ]


def _row(table: LeaderboardTable, row: Row, submission: Submission, say: SiteWords) -> dict[str, Any]:
    name, settings = table.name_and_settings(row)
    scored, items, clusters = row.coverage
    return {
        "model": row.model,
        "name": name,
        "settings": settings,
        "href": f"../{_run_path(row.run_id)}",
        "cells": [board_cell(row, column, cell, say) for column, cell in zip(table.columns, row.cells, strict=True)],
        "scored": scored,
        "planned": items,
        "clusters": clusters,
        "status": _status(submission),
    }


def _status(submission: Submission) -> dict[str, Any]:
    withdrawn = submission.withdrawn is not None
    return {
        "name": "withdrawn" if withdrawn else submission.status,
        "note": submission.note,
        "withdrawn": withdrawn,
        "date": (submission.withdrawn or submission.date)[:10],
        "reason": submission.reason,
    }


def _run(suite: SuiteData, record: RunRecord, submission: Submission, say: SiteWords, date: str) -> str:
    return _page(
        "run.html.j2",
        say,
        record.spec.model,
        date,
        ((f"../{INDEX}", say("home")), (f"../{_suite_path(suite.key)}", suite.title)),
        record=record,
        status=_status(submission),
        standing=submission.status,
        facts=_facts(record, submission, say),
        results=[_result(result, record, say) for result in record.results],
        digest=record.protocol.digest,
        protocol=_protocol(record),
        weights=sorted(record.weights.items()),
        environment=_surroundings(record),
    )


def _facts(record: RunRecord, submission: Submission, say: SiteWords) -> list[tuple[str, str]]:
    spec = record.spec
    rows = [
        ("fact_model", spec.model_spec),
        ("fact_finished", record.finished),
        ("fact_seeds", say("comma").join(map(str, spec.seeds))),
        ("fact_items", str(record.items)),
        ("fact_missing", say("comma").join(record.missing)),
        ("fact_errors", str(record.errors)),
        ("fact_excluded", say("separator").join(f"{name}: {why}" for name, why in sorted(record.excluded.items()))),
        ("fact_bundle", submission.sha256 or ""),
        ("fact_note", " · ".join(filter(None, (submission.date[:10], submission.note)))),
    ]
    return [(say(key), value) for key, value in rows if value]


def _result(result: MetricResult, record: RunRecord, words: SiteWords) -> dict[str, str]:
    interval = result.interval_note or "-"
    if result.low is not None and result.high is not None:
        interval = f"[{result.low:.6g}, {result.high:.6g}] ({100 * result.level:g} %, {result.interval})"
    return {
        "metric": result.metric,
        "value": "-" if result.value is None else f"{result.value:.6g}",
        "interval": interval,
        "coverage": f"{result.scored}/{record.items}",
        "clusters": str(result.clusters),
        "better": words(result.direction),
        "version": str(result.version),
    }


def _protocol(record: RunRecord) -> list[tuple[str, str]]:
    rows = [(name, _text(value)) for name, value in sorted(record.protocol.fields.items())]
    for metric, entry in sorted(record.protocol.metrics.items()):
        rows += [(f"{metric}.{name}", _text(value)) for name, value in sorted(entry.items())]
    return rows


def _surroundings(record: RunRecord) -> list[tuple[str, str]]:
    rows = [(name, _text(value)) for name, value in sorted(record.environment.items())]
    return rows + [(f"git.{name}", _text(value)) for name, value in sorted(record.git.items())]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
