"""The leaderboard: finished runs in one DuckDB file, derived from run folders and rebuildable from them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from anisora.harness.errors import MissingExtra, RecordError, UnknownNameError
from anisora.harness.extras import missing_distributions
from anisora.harness.failpoints import failpoint
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import RunFolder, ScoreRow
from anisora.harness.tracks import split_track
from anisora.leaderboards.compare import Comparison, compare
from anisora.leaderboards.database import Database
from anisora.leaderboards.ingest import (
    delete_run,
    find_run_folders,
    insert_run,
    parsed_record,
    put_submission,
    replace_all,
    rows_of,
    stored_record,
    stored_scores,
    stored_submissions,
)
from anisora.leaderboards.publishable import content_digest
from anisora.leaderboards.submission import Submission, withdrawn_note
from anisora.leaderboards.table import ColumnChoice, LeaderboardTable, build_table, tidy_rows
from anisora.leaderboards.ties import ranked
from anisora.leaderboards.training_store import find_training_folders, replace_trainings
from anisora.leaderboards.words import Words

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["DuckDBLogger", "Leaderboard", "RebuildReport", "SubmitOutcome"]

SubmitOutcome = Literal["added", "same", "restated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What a rebuild found."""

    added: tuple[str, ...]
    """Run ids, in the order of their folders."""
    skipped: tuple[tuple[Path, str], ...]
    """Folders with a record that cannot be trusted, with the reason."""
    unfinished: tuple[Path, ...]
    """Folders of runs that have no record yet."""
    trainings: tuple[str, ...]
    """Ids of trainings."""


class Leaderboard:
    """Runs, their results and their scores.

    A file is opened for each operation and closed again, so that several processes share it. A leaderboard in
    memory lives until ``close``.

    Example:
        >>> from anisora.leaderboards.store import Leaderboard
        >>> Leaderboard.open(":memory:").suites()
        []
    """

    def __init__(self, database: Database) -> None:
        """Take the database; use ``open``."""
        self._database = database

    @classmethod
    def open(cls, path: Path | str, *, lock_wait_s: float = 30.0) -> "Leaderboard":
        """Name a leaderboard file, which the first ``add`` creates; ``":memory:"`` keeps it in memory.

        Args:
            path: The DuckDB file.
            lock_wait_s: How long an operation waits for other processes to finish with the file.
        """
        place = None if str(path) == ":memory:" else Path(path).expanduser()
        return cls(Database(place, lock_wait_s=lock_wait_s))

    def close(self) -> None:
        """Drop a leaderboard in memory; a file needs no closing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add(self, record: RunRecord, scores: Sequence[ScoreRow] = (), folder: Path | str = "") -> None:
        """Store a run in one transaction; a run of the same id is replaced.

        The parts of scores (per frame or dimension) stay in the run folder.

        Args:
            record: The record of a finished run.
            scores: Its rows.
            folder: Where it lies on disk.

        Raises:
            RecordError: The file is damaged, newer, or locked for too long.
        """

        def work(connection: "Connection") -> None:
            delete_run(connection, record.run_id)
            failpoint("ingest.after_delete")
            insert_run(connection, record, scores, str(folder))
            # What was said of a bundle does not hold for rows that were made here; that it was withdrawn does.
            connection.execute("DELETE FROM submission WHERE run_id = ? AND withdrawn IS NULL", [record.run_id])

        self._database.write(work)

    def remove(self, run_id: str) -> None:
        """Take a run out; its folder stays.

        Raises:
            UnknownNameError: There is no such run.
        """

        def work(connection: "Connection") -> None:
            stored_record(connection, run_id)
            delete_run(connection, run_id)
            connection.execute("DELETE FROM submission WHERE run_id = ?", [run_id])

        self._database.write(work)

    def submit(self, record: RunRecord, scores: Sequence[ScoreRow], submission: Submission) -> SubmitOutcome:
        """Store a run that came as a bundle, unless it is there already, in one transaction.

        Args:
            record: Its record, which may name no place of this machine.
            scores: Its rows.
            submission: What is said of it. ``reported`` leaves a run that is there as it is.

        Returns:
            ``added``; ``same`` where the very run is there; ``restated`` where it is there and got another status.

        Raises:
            RecordError: There is a run of this id with other content, or it was withdrawn.
        """
        return self._database.write(lambda connection: _submitted(connection, record, scores, submission))

    def withdraw(self, run_id: str, *, reason: str, date: str) -> None:
        """Mark a run as withdrawn: it is kept, and stands in no table.

        Args:
            run_id: The run.
            reason: Why, as told on the board.
            date: ISO 8601, UTC.

        Raises:
            RecordError: It was withdrawn before.
            UnknownNameError: There is no such run.
        """

        def work(connection: "Connection") -> None:
            stored_record(connection, run_id)
            known = stored_submissions(connection).get(run_id, Submission(run_id=run_id))
            if known.withdrawn is not None:
                raise RecordError(
                    f"Run `{run_id}` was withdrawn on {known.withdrawn[:10]} ({known.reason}); there is nothing to do."
                )
            put_submission(connection, replace(known, withdrawn=date, reason=reason))

        self._database.write(work)

    def restate(self, submission: Submission) -> None:
        """Store what is known of a run in the place of what was.

        Raises:
            UnknownNameError: There is no such run.
        """

        def work(connection: "Connection") -> None:
            stored_record(connection, submission.run_id)
            put_submission(connection, submission)

        self._database.write(work)

    def submissions(self) -> dict[str, Submission]:
        """Return {run id: where its numbers come from} of all runs."""

        def work(connection: "Connection") -> dict[str, Submission]:
            known = stored_submissions(connection)
            ids = [str(run_id) for (run_id,) in rows_of(connection, "SELECT run_id FROM run ORDER BY run_id")]
            return {run_id: known.get(run_id, Submission(run_id=run_id)) for run_id in ids}

        return self._database.read(work)

    def rebuild(self, runs: Path) -> RebuildReport:
        """Forget everything and read all finished run folders below ``runs`` again, in one transaction.

        A file that is damaged beyond opening is replaced. If nothing can be read, everything stays as it was.

        Raises:
            RecordError: There is no finished run below ``runs``, or none that can be read.
        """
        finished, unfinished = find_run_folders(runs)
        trainings = find_training_folders(runs)
        if not finished and not trainings:
            raise RecordError(
                f"`{runs}` holds no finished run (a folder with record.json); the leaderboard "
                "was left as it is. Name the folder that holds the run folders."
            )
        self._database.replace_damaged()

        def work(connection: "Connection") -> RebuildReport:
            added, skipped = replace_all(connection, runs, finished)
            trained, unread = replace_trainings(connection, trainings)
            return RebuildReport(
                added=added, skipped=(*skipped, *unread), unfinished=tuple(unfinished), trainings=trained
            )

        return self._database.write(work)

    def get(self, run_id: str) -> RunRecord:
        """Return the record of a run.

        Raises:
            UnknownNameError: There is no such run.
        """
        return self._database.read(lambda connection: stored_record(connection, run_id))

    def folder(self, run_id: str) -> str:
        """Return where a run lies on disk, as it was when the run was added; empty if not told."""

        def work(connection: "Connection") -> str:
            stored_record(connection, run_id)
            return str(rows_of(connection, "SELECT folder FROM run WHERE run_id = ?", [run_id])[0][0])

        return self._database.read(work)

    def scores(self, run_id: str, metrics: Collection[str] | None = None) -> list[ScoreRow]:
        """Return the rows of a run, sorted by metric, item and seed, without their parts.

        Args:
            run_id: The run.
            metrics: Only these metrics.

        Raises:
            UnknownNameError: There is no such run.
        """

        def work(connection: "Connection") -> list[ScoreRow]:
            stored_record(connection, run_id)
            return stored_scores(connection, run_id, metrics)

        return self._database.read(work)

    def runs(self, suite_key: str | None = None) -> list[RunRecord]:
        """Return the records of a suite, or all, sorted by suite, model and time."""
        rows = self._database.read(
            lambda connection: rows_of(
                connection,
                "SELECT run_id, record FROM run WHERE $all OR suite_key = $key "
                "ORDER BY suite_key, model, finished, run_id",
                {"all": suite_key is None, "key": suite_key or ""},
            )
        )
        return [parsed_record(*row) for row in rows]

    def suites(self) -> list[str]:
        """Return the suite keys that have runs, sorted."""
        query = "SELECT DISTINCT suite_key FROM run ORDER BY suite_key"
        return [str(key) for (key,) in self._database.read(lambda connection: rows_of(connection, query))]

    def suite_key(self, name: str) -> str:
        """Return the key a user means: a key itself, or ``suite`` or ``suite@track`` for its newest version.

        Raises:
            RecordError: The newest version has runs of several tracks, of which one must be named.
            UnknownNameError: No run is of such a suite.
        """
        if name in self.suites():
            return name
        suite, track = split_track(name)
        newest = self._newest_keys(suite)
        wanted = newest if track is None else [key for key in newest if key.endswith(f":{track}")]
        if not wanted:
            raise UnknownNameError(
                "track", track or "", {key.partition(":")[2] for key in newest}, f"There are runs of: {_has(newest)}"
            )
        if len(wanted) > 1:
            raise RecordError(
                f"Suite `{name}` has runs of several tracks; name one of: {', '.join(newest)}; or show all with "
                "--all-tracks."
            )
        return wanted[0]

    def standing_runs(self, suite: str) -> list[RunRecord]:
        """Return the runs of a suite's newest version, on all of its tracks, without those that were withdrawn.

        Raises:
            UnknownNameError: No run is of such a suite.
        """
        withdrawn = self._withdrawn()
        return [run for key in self._newest_keys(suite) for run in self.runs(key) if run.run_id not in withdrawn]

    def _newest_keys(self, suite: str) -> list[str]:
        """Return the keys of a suite's newest version, one a track."""
        query = (
            "SELECT DISTINCT suite_key FROM run WHERE suite = $name "
            "AND suite_version = (SELECT max(suite_version) FROM run WHERE suite = $name) ORDER BY suite_key"
        )
        newest = [str(key) for (key,) in self._database.read(lambda c: rows_of(c, query, {"name": suite}))]
        if not newest:
            known = self.suites()
            names = {key.partition("@")[0] for key in known} | set(known)
            has = _has(known) if known else "nothing yet."
            raise UnknownNameError("suite", suite, names, f"The leaderboard `{self._database.name}` has: {has}")
        return newest

    def find(self, suite_key: str, name: str) -> RunRecord:
        """Return the run a user means: by its id, or the newest run of a model that neither failed nor was withdrawn.

        Raises:
            UnknownNameError: The suite has no such run or model.
        """
        return _named(self.runs(suite_key), suite_key, name, self._withdrawn())

    def _withdrawn(self) -> dict[str, Submission]:
        return {run_id: known for run_id, known in self.submissions().items() if known.withdrawn is not None}

    def build_table(
        self,
        suite: str,
        columns: Sequence[ColumnChoice] = (),
        *,
        title: str = "",
        models: Sequence[str] = (),
        allow_diff: Collection[str] = (),
        show_untrained: bool = False,
        sort_by: str | None = None,
        language: str = "en",
        baselines: Collection[str] = (),
    ) -> LeaderboardTable:
        """Build the table of a suite; see ``table.build_table`` for the arguments and the rules.

        Args:
            suite: A suite key, or a suite's name for its newest version.
            columns: What to show; all metrics of the runs when left out.
            title: Above the table; the suite key when left out.
            models: Model names or run ids, in the order wanted; all when left out.
            allow_diff: Protocol fields that may differ.
            show_untrained: Show runs of random weights, and no others.
            sort_by: The metric that orders the rows, best first; by name when left out.
            language: Of the footnotes: ``en`` or ``zh``.
            baselines: Run ids of degenerate baselines, which stand apart.
        """
        key = self.suite_key(suite)
        records, withdrawn = self.runs(key), self._withdrawn()
        gone = [record.run_id for record in records if record.run_id in withdrawn]
        for run_id in gone:
            if run_id in models or len(gone) == len(records):
                raise RecordError(
                    f"Run `{run_id}` was withdrawn on {str(withdrawn[run_id].withdrawn)[:10]} "
                    f"({withdrawn[run_id].reason}) and stands in no table; choose others."
                )
        table = build_table(
            [record for record in records if record.run_id not in withdrawn],
            columns,
            title=title,
            models=models,
            allow_diff=allow_diff,
            show_untrained=show_untrained,
            sort_by=sort_by,
            language=language,
            baselines=baselines,
        )
        notes = [withdrawn_note(len(gone), language)] if gone else []
        shown = ranked(table, {row.run_id: self.scores(row.run_id) for row in table.rows}, Words(language))
        return replace(shown, footnotes=(*shown.footnotes, *notes))

    def table(
        self,
        suite: str,
        columns: Sequence[ColumnChoice] = (),
        *,
        models: Sequence[str] = (),
        allow_diff: Collection[str] = (),
        show_untrained: bool = False,
        sort_by: str | None = None,
    ) -> "pd.DataFrame":
        """Return the table of a suite as a data frame, one row per model and metric, in natural units.

        Raises:
            MissingExtra: pandas is not installed.
        """
        if missing_distributions(["pandas"]):
            raise MissingExtra("A leaderboard as a data frame", "pandas")
        import pandas as pd

        built = self.build_table(
            suite,
            columns,
            models=models,
            allow_diff=allow_diff,
            show_untrained=show_untrained,
            sort_by=sort_by,
        )
        return pd.DataFrame(tidy_rows(built))

    def compare(
        self,
        suite: str,
        left: str,
        right: str,
        columns: Sequence[ColumnChoice] = (),
        *,
        motion: str | None = None,
        level: float = 0.95,
    ) -> Comparison:
        """Compare two models or runs of a suite item by item; see ``compare.compare``.

        The newest ground truth run of the suite, if any, says which side is closer for metrics of direction
        ``reference``.

        Args:
            suite: A suite key, or a suite's name for its newest version.
            left: A model name (its newest run) or run id.
            right: The same.
            columns: The metrics to compare; those both runs have when left out.
            motion: A metric of motion, at whose equal values the others are compared as well.
            level: Coverage of the intervals; 1 - level is the family-wise error of the verdicts.
        """
        key = self.suite_key(suite)
        records, withdrawn = self.runs(key), self._withdrawn()
        pair = [_named(records, key, name, withdrawn) for name in (left, right)]
        standing = (record for record in records if record.status != "failed" and record.run_id not in withdrawn)
        truths = [record for record in standing if record.reference]
        newest = max(truths, key=_age, default=None)
        sides = [(record, self.scores(record.run_id)) for record in pair]
        reference = None if newest is None else (newest, self.scores(newest.run_id))
        return compare(sides[0], sides[1], columns, reference=reference, motion=motion, level=level)


class DuckDBLogger:
    """Adds each finished run to a leaderboard; satisfies ``protocols.RunLogger``."""

    def __init__(self, path: Path | str = "leaderboard.duckdb", lock_wait_s: float = 30.0) -> None:
        """Name the leaderboard file."""
        self._leaderboard = Leaderboard.open(path, lock_wait_s=lock_wait_s)

    def on_end(self, record: RunRecord, folder: Path) -> None:
        """Add the run with the rows of its folder.

        Raises:
            RecordError: The rows cannot be read, or the leaderboard cannot be written.
        """
        self._leaderboard.add(record, RunFolder(folder).read_scores(), folder.resolve())


def _has(keys: Sequence[str]) -> str:
    return f"{', '.join(keys)}."


def _age(record: RunRecord) -> tuple[str, str]:
    return record.finished, record.run_id


def _submitted(
    connection: "Connection", record: RunRecord, scores: Sequence[ScoreRow], submission: Submission
) -> SubmitOutcome:
    run_id = record.run_id
    known = stored_submissions(connection).get(run_id, Submission(run_id=run_id))
    if known.withdrawn is not None:
        raise RecordError(
            f"Run `{run_id}` was withdrawn on {known.withdrawn[:10]} ({known.reason}); score the clips again under "
            "another model name to submit them anew."
        )
    there = rows_of(connection, "SELECT record FROM run WHERE run_id = ?", [run_id])
    if not there:
        insert_run(connection, record, scores, "")
        put_submission(connection, submission)
        return "added"
    plain = sorted((replace(row, parts={}) for row in scores), key=lambda row: row.key)
    stored = parsed_record(run_id, there[0][0])
    if content_digest(stored) != content_digest(record) or plain != stored_scores(connection, run_id):
        raise RecordError(
            f"Run `{run_id}` is on the board with other content (finished {stored.finished}, the bundle's "
            f"{record.finished}); expected the same rows and results; withdraw the one there, or score under another "
            "model name."
        )
    if submission.status in ("reported", known.status):
        return "same"
    put_submission(connection, replace(submission, sha256=known.sha256))
    return "restated"


def _named(records: Sequence[RunRecord], suite_key: str, name: str, withdrawn: Collection[str] = ()) -> RunRecord:
    by_id = next((record for record in records if record.run_id == name), None)
    if by_id is not None:
        return by_id
    whole = [record for record in records if record.status != "failed" and record.run_id not in withdrawn]
    found = max((record for record in whole if record.spec.model == name), key=_age, default=None)
    if found is None:
        known = sorted({record.spec.model for record in whole})
        hint = f"Suite `{suite_key}` has runs of: {', '.join(known) or 'no model'}."
        raise UnknownNameError("model or run", name, known, hint)
    return found
