"""A report of claims as text and JSON."""

import json
from collections.abc import Sequence
from dataclasses import replace

from anisora.leaderboards.claims.findings import Finding, Report
from anisora.leaderboards.published.tables import MISSING
from anisora.leaderboards.typeset import plain

__all__ = ["render_claims"]


def render_claims(report: Report, *, as_json: bool = False) -> str:
    """Write a report, one line a finding: line of the file, kind, table, message."""
    if as_json:
        return json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n"
    lines = [
        f"{report.file}: {len(report.tables)} of {report.found} tables checked, {len(report.flagged)} flagged, "
        f"{len(report.unchecked)} listed"
    ]
    lines += [f"  {table.table}: {table.cells} cells against {table.origin}" for table in report.tables]
    for title, findings in (("Flagged", report.flagged), ("Not checked", report.unchecked)):
        if findings:
            lines += ["", title, *_lines(findings)]
    return "\n".join(plain(line) for line in lines) + "\n"


def _lines(findings: Sequence[Finding]) -> list[str]:
    findings = _together(findings)
    places = [f"line {found.line}" if found.line else "" for found in findings]
    first, second = max(map(len, places)), max(len(found.kind) for found in findings)
    return [
        f"  {place:<{first}}  {found.kind:<{second}}  {found.message}"
        for place, found in zip(places, findings, strict=True)
    ]


def _together(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with cells of a row that nobody has a number for as one."""
    made: dict[tuple[str, int, str, str], Finding] = {}
    for at, found in enumerate(findings):
        is_known_gap = found.kind == "missing" and found.expected == MISSING
        key = (found.table, found.line, found.row, "" if is_known_gap else str(at))
        before = made.get(key)
        columns = found.column if before is None else f"{before.column}, {found.column}"
        told = f"{columns} of {found.row}: no number here, and none is known."
        made[key] = replace(found, column=columns, message=told) if is_known_gap else found
    return list(made.values())
