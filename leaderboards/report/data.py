"""What a report tells, gathered from the leaderboard, the suite and the run folders; nothing is drawn yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.runfolder import RunFolder, ScoreRow
from anisora.harness.suite import Suite, samples_by_id, suite_of_run
from anisora.harness.types import Clip, Sample
from anisora.leaderboards.effects import EffectMatrix, effect_matrix
from anisora.leaderboards.report.breakdown import Breakdown, break_down
from anisora.leaderboards.report.choice import Choice, choose_items
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.table import ColumnChoice, LeaderboardTable, TableColumn

__all__ = ["ReportData", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """A report before it is drawn."""

    suite: Suite | None
    """None for runs whose suite is not installed, and for ``custom``."""
    table: LeaderboardTable
    matrix: EffectMatrix | None
    """None without ground truth."""
    breakdowns: tuple[Breakdown, ...]
    choices: tuple[Choice, ...]
    records: Mapping[str, RunRecord]
    """{run id: record}, in the order of the table."""
    samples: Mapping[str, Sample]
    """{item: sample}; empty where the suite's data are not on this machine."""
    clips: Mapping[tuple[str, str], Clip]
    """{(run id, item): the clip of its first seed}, of the files that are still there."""
    scores: Mapping[str, Sequence[ScoreRow]]
    """{run id: its rows}"""
    notes: tuple[str, ...] = ()
    """What the suite's data lack on this machine."""

    @property
    def items(self) -> tuple[str, ...]:
        """All items, in the order of the suite, else by name."""
        if self.samples:
            return tuple(self.samples)
        return tuple(sorted({item for _, item in self.clips}))

    def in_language(self, language: str) -> "ReportData":
        """Return the report with the title and the heads of columns that its suite has in a language.

        Args:
            language: ``en`` or ``zh``.
        """
        if self.suite is None:
            return self
        headers = {column.metric: column.in_language(language).header for column in self.suite.columns}

        def headed(column: TableColumn) -> TableColumn:
            return replace(column, header=headers.get(column.metric, column.header))

        columns = tuple(map(headed, self.table.columns))
        breakdowns = (
            replace(each, metrics=tuple(replace(metric, column=headed(metric.column)) for metric in each.metrics))
            for each in self.breakdowns
        )
        return replace(
            self,
            table=replace(self.table, columns=columns, title=self.suite.introduced(language)[0]),
            matrix=None if self.matrix is None else replace(self.matrix, columns=columns),
            breakdowns=tuple(breakdowns),
        )


def gather(
    board: Leaderboard,
    suite: str,
    columns: Sequence[ColumnChoice] = (),
    *,
    models: Sequence[str] = (),
    allow_diff: Collection[str] = (),
    show_untrained: bool = False,
    sort_by: str | None = None,
    examples: int = 2,
    language: str = "en",
) -> ReportData:
    """Gather the report of a suite.

    Args:
        board: The leaderboard.
        suite: A suite key, or a suite's name for its newest version.
        columns: What to show; by default the columns of the suite that some run has, or all metrics.
        models: Model names or run ids, in the order wanted; all when left out.
        allow_diff: Protocol fields that may differ.
        show_untrained: Show runs of random weights, and no others.
        sort_by: The metric that orders the rows.
        examples: How many items to show of each kind: best, worst, disputed.
        language: Of the footnotes and of the heads of columns that have one in it: ``en`` or ``zh``.

    Raises:
        RecordError: There is nothing to show, or the runs may not share a table.
        UnknownNameError: A suite, model, metric or field is not there.
    """
    key = board.suite_key(suite)
    found = _suite_of(board.runs(key))
    if not columns and found is not None:
        scored = {result.metric for record in board.runs(key) for result in record.results}
        columns = [column.in_language(language) for column in found.columns if column.metric in scored]
    table = board.build_table(
        key,
        columns,
        title=found.introduced(language)[0] if found else "",
        models=models,
        allow_diff=allow_diff,
        show_untrained=show_untrained,
        sort_by=sort_by,
        language=language,
    )
    scores = {row.run_id: board.scores(row.run_id) for row in table.rows}
    samples = samples_by_id(found)
    return ReportData(
        suite=found,
        table=table,
        matrix=effect_matrix(table, scores, found.expected if found else ()),
        breakdowns=_breakdowns(table, scores, samples),
        choices=choose_items(table, scores, count=examples),
        records={row.run_id: board.get(row.run_id) for row in table.rows},
        samples=samples,
        clips=_clips(board, table),
        scores=scores,
        notes=_notes_of(found, samples),
    )


def _suite_of(records: Sequence[RunRecord]) -> Suite | None:
    """Load the suite that the runs are of, where it is on this machine in their version."""
    newest = max(records, key=lambda record: (record.finished, record.run_id), default=None)
    return None if newest is None else suite_of_run(newest.spec)


def _notes_of(suite: Suite | None, samples: Mapping[str, Sample]) -> tuple[str, ...]:
    """Return what the suite's data lack on this machine."""
    if suite is None or not samples:
        return ()
    return tuple(getattr(registry("datasets").create(suite.dataset_spec), "notes", ()))


def _breakdowns(
    table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]], samples: Mapping[str, Sample]
) -> tuple[Breakdown, ...]:
    labels = {row.item_id: row.cluster for rows in scores.values() for row in rows}
    styles = {item: str(sample.metadata["style"]) for item, sample in samples.items() if "style" in sample.metadata}
    made = []
    for name, group_of in (("label", labels), ("style", styles)):
        groups = set(group_of.values())
        if 1 < len(groups) < len(group_of):  # a group for all, or one for each, tells nothing new
            made.append(break_down(name, group_of, table, scores))
    return tuple(made)


def _clips(board: Leaderboard, table: LeaderboardTable) -> dict[tuple[str, str], Clip]:
    found: dict[tuple[str, str], Clip] = {}
    for row in table.rows:
        folder = RunFolder(Path(board.folder(row.run_id)))
        if not folder.clips_path.is_file():
            continue
        for clip in sorted(folder.read_clips(), key=lambda clip: (clip.item_id, clip.seed)):
            path = folder.path / clip.path  # an absolute path stays what it is
            if (row.run_id, clip.item_id) not in found and path.exists():
                made = Clip(path=path, digest=clip.sha256, fps=clip.fps if path.is_dir() else None)
                found[row.run_id, clip.item_id] = made
    return found
