"""What a site tells, as a value: the tables of each suite, and the runs that stand in none, with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.suite import Column, load_suite
from anisora.leaderboards.baselines import is_baseline
from anisora.leaderboards.comparability import field_differences, shortened
from anisora.leaderboards.publishable import publishable
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.submission import Submission, withdrawn_note
from anisora.leaderboards.table import LeaderboardTable, build_table

__all__ = ["Other", "SiteData", "SuiteData", "TableGroup", "gather_site"]

Reason = Literal["failed", "superseded", "truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableGroup:
    """Runs that may share a table."""

    table: LeaderboardTable
    differs: tuple[tuple[str, str], ...]
    """(protocol field, value here) of the fields in which the tables of the suite differ."""
    untrained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A run that stands in no table."""

    record: RunRecord
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteData:
    """One suite."""

    key: str
    title: str
    summary: str
    groups: tuple[TableGroup, ...]
    """Those of random weights come last."""
    withdrawn: tuple[RunRecord, ...]
    others: tuple[Other, ...]
    records: tuple[RunRecord, ...]
    """All runs of the suite."""

    @property
    def finished(self) -> str:
        """When the newest run was finished."""
        return max(record.finished for record in self.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteData:
    """A board."""

    suites: tuple[SuiteData, ...]
    submissions: Mapping[str, Submission]
    """{run id: what is known of it}, of all runs."""


def gather_site(board: Leaderboard, language: str = "en") -> SiteData:
    """Read a board; records are taken without the paths of this machine.

    Args:
        board: The board.
        language: Of titles, heads and footnotes: ``en`` or ``zh``.

    Raises:
        RecordError: The board cannot be read, or a protocol holds a path of this machine.
    """
    submissions = board.submissions()
    suites = []
    for key in board.suites():
        records = [publishable(record) for record in board.runs(key)]
        suites.append(_suite(key, records, submissions, language))
    return SiteData(suites=tuple(suites), submissions=submissions)


def _suite(key: str, records: Sequence[RunRecord], submissions: Mapping[str, Submission], language: str) -> SuiteData:
    name = key.partition("@")[0]
    suite = load_suite(name) if name in registry("suites") else None
    title, summary = suite.introduced(language) if suite else (key, "")
    columns = [column.in_language(language) for column in suite.columns] if suite else []
    withdrawn = [record for record in records if submissions[record.run_id].withdrawn is not None]
    standing = [record for record in records if submissions[record.run_id].withdrawn is None]
    failed = [record for record in standing if record.status == "failed" or not record.results]
    scored = [record for record in standing if record not in failed]
    trained = [record for record in scored if record.untrained is None]
    random = [record for record in scored if record.untrained is not None]
    others = [Other(record=record, reason="failed") for record in failed]
    groups: list[TableGroup] = []
    for members, untrained in ((trained, False), (random, True)):
        made, left_out = _groups(members, columns, title, language, untrained=untrained)
        groups += made
        others += left_out
    notes = [withdrawn_note(len(withdrawn), language)] if withdrawn and groups else []
    if notes:
        first = groups[0]
        groups[0] = replace(first, table=replace(first.table, footnotes=(*first.table.footnotes, *notes)))
    return SuiteData(
        key=key,
        title=title,
        summary=summary,
        groups=tuple(groups),
        withdrawn=tuple(withdrawn),
        others=tuple(others),
        records=tuple(records),
    )


def _groups(
    records: Sequence[RunRecord], columns: Sequence[Column], title: str, language: str, *, untrained: bool
) -> tuple[list[TableGroup], list[Other]]:
    """Return the tables of runs, the largest first, and the runs that are in none of them."""
    metrics = sorted({result.metric for record in records for result in record.results})
    baselines = {record.run_id for record in records if is_baseline(record) and not record.reference}
    truths, others = _one_truth(records)
    parts = _parted([record for record in records if not record.reference], truths, metrics, baselines)
    parts.sort(key=lambda part: (-len(part), min(record.run_id for record in part)))
    fronts = [next((record for record in part if not record.reference), part[0]) for part in parts]
    differences = field_differences(fronts, metrics, baselines) if len(fronts) > 1 else []
    groups = []
    for part, front in zip(parts, fronts, strict=True):
        have = {result.metric for record in part for result in record.results}
        table = build_table(
            part,
            [column for column in columns if column.metric in have],
            title=title,
            show_untrained=untrained,
            language=language,
            baselines=baselines,
        )
        told = []
        for difference in differences:
            for value, holders in difference.groups:
                if any(holder.run_id == front.run_id for holder in holders):
                    rest = next(other for other, _ in difference.groups if other != value)
                    told.append((difference.field, shortened(value, rest)[0]))
        groups.append(TableGroup(table=table, differs=tuple(told), untrained=untrained))
    shown = {row.run_id for group in groups for row in group.table.rows}
    gone = {other.record.run_id for other in others}
    others += [
        Other(record=record, reason="superseded")
        for record in records
        if record.run_id not in shown and record.run_id not in gone
    ]
    return groups, others


def _one_truth(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[Other]]:
    """Keep the ground truth of one name, that of the newest run: a table cannot have two."""
    truths = [record for record in records if record.reference]
    if not truths:
        return [], []
    name = max(truths, key=lambda record: (record.finished, record.run_id)).spec.model
    kept = [record for record in truths if record.spec.model == name]
    return kept, [Other(record=record, reason="truth") for record in truths if record.spec.model != name]


def _parted(
    records: Sequence[RunRecord], truths: Sequence[RunRecord], metrics: Sequence[str], baselines: set[str]
) -> list[list[RunRecord]]:
    """Part runs so that each part may share a table; baselines and ground truth go with every part that they fit."""
    parts: list[list[RunRecord]] = []
    systems = [record for record in records if record.run_id not in baselines]
    for record in sorted(systems, key=lambda record: record.run_id):
        part = next((part for part in parts if _fits(part, record, metrics, baselines)), None)
        if part is None:
            parts.append([record])
        else:
            part.append(record)
    apart = [record for record in records if record.run_id in baselines]
    for record in sorted((*apart, *truths), key=lambda record: (record.reference, record.run_id)):
        fitting = [part for part in parts if _fits(part, record, metrics, baselines)]
        for part in fitting:
            part.append(record)
        if not fitting:
            parts.append([record])
    return parts


def _fits(part: Sequence[RunRecord], record: RunRecord, metrics: Sequence[str], baselines: set[str]) -> bool:
    directions = {result.metric: result.direction for other in part for result in other.results}
    agreed = all(directions.get(result.metric, result.direction) == result.direction for result in record.results)
    return agreed and not field_differences([*part, record], metrics, baselines)
