"""The leaderboard: finished runs in one DuckDB file, derived from run folders and rebuildable from them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.failpoints import failpoint
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import RunFolder, ScoreRow
from anisora.leaderboards.compare import Comparison, compare
from anisora.leaderboards.database import Database
from anisora.leaderboards.ingest import (
    delete_run,
    find_run_folders,
    insert_run,
    parsed_record,
    replace_all,
    rows_of,
    stored_record,
)
from anisora.leaderboards.table import ColumnChoice, LeaderboardTable, build_table, tidy_rows

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["DuckDBLogger", "Leaderboard", "RebuildReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What a rebuild found."""

    added: tuple[str, ...]
    """Run ids, in the order of their folders."""
    skipped: tuple[tuple[Path, str], ...]
    """Folders with a record that cannot be trusted, with the reason."""
    unfinished: tuple[Path, ...]
    """Folders of runs that have no record yet."""


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

        self._database.write(work)

    def remove(self, run_id: str) -> None:
        """Take a run out; its folder stays.

        Raises:
            UnknownNameError: There is no such run.
        """

        def work(connection: "Connection") -> None:
            stored_record(connection, run_id)
            delete_run(connection, run_id)

        self._database.write(work)

    def rebuild(self, runs: Path) -> RebuildReport:
        """Forget everything and read all finished run folders below ``runs`` again, in one transaction.

        A file that is damaged beyond opening is replaced. If nothing can be read, everything stays as it was.

        Raises:
            RecordError: There is no finished run below ``runs``, or none that can be read.
        """
        finished, unfinished = find_run_folders(runs)
        if not finished:
            raise RecordError(
                f"`{runs}` holds no finished run (a folder with record.json); the leaderboard "
                "was left as it is. Name the folder that holds the run folders."
            )
        self._database.replace_damaged()
        added, skipped = self._database.write(lambda connection: replace_all(connection, runs, finished))
        return RebuildReport(added=added, skipped=skipped, unfinished=tuple(unfinished))

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
        columns = (
            "item_id",
            "seed",
            "cluster",
            "metric",
            "metric_version",
            "value",
            "weight",
            "status",
            "note",
        )

        def work(connection: "Connection") -> list[ScoreRow]:
            stored_record(connection, run_id)
            rows = rows_of(
                connection,
                "SELECT item_id, seed, cluster, metric, metric_version, value, weight, status, note "
                "FROM score WHERE run_id = $run AND ($all OR list_contains($metrics, metric)) "
                "ORDER BY metric, item_id, seed",
                {"run": run_id, "all": metrics is None, "metrics": sorted(metrics or [""])},
            )
            return [ScoreRow(**dict(zip(columns, row, strict=True)), parts={}) for row in rows]

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
        """Return the key a user means: a key itself, or a suite's name for its newest version.

        Raises:
            RecordError: The newest version has runs of several tracks, of which one must be named.
            UnknownNameError: No run is of such a suite.
        """
        query = (
            "SELECT DISTINCT suite_key FROM run WHERE suite = $name "
            "AND suite_version = (SELECT max(suite_version) FROM run WHERE suite = $name) ORDER BY suite_key"
        )
        known = self.suites()
        if name in known:
            return name
        newest = [str(key) for (key,) in self._database.read(lambda c: rows_of(c, query, {"name": name}))]
        if len(newest) > 1:
            raise RecordError(f"Suite `{name}` has runs of several tracks; name one of: {', '.join(newest)}.")
        if not newest:
            names = {key.partition("@")[0] for key in known} | set(known)
            hint = f"The leaderboard `{self._database.name}` has: {', '.join(known) or 'nothing yet'}."
            raise UnknownNameError("suite", name, names, hint)
        return newest[0]

    def find(self, suite_key: str, name: str) -> RunRecord:
        """Return the run a user means: by its id, or the newest run of a model that did not fail.

        Raises:
            UnknownNameError: The suite has no such run or model.
        """
        return _named(self.runs(suite_key), suite_key, name)

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
        """
        key = self.suite_key(suite)
        return build_table(
            self.runs(key),
            columns,
            title=title,
            models=models,
            allow_diff=allow_diff,
            show_untrained=show_untrained,
            sort_by=sort_by,
            language=language,
        )

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
        """Return the table of a suite as a data frame, one row per model and metric, in natural units."""
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
            level: Coverage of the intervals; 1 - level is the family-wise error of the verdicts.
        """
        key = self.suite_key(suite)
        records = self.runs(key)
        pair = [_named(records, key, name) for name in (left, right)]
        truths = [record for record in records if record.reference and record.status != "failed"]
        newest = max(truths, key=_age, default=None)
        sides = [(record, self.scores(record.run_id)) for record in pair]
        reference = None if newest is None else (newest, self.scores(newest.run_id))
        return compare(sides[0], sides[1], columns, reference=reference, level=level)


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


def _age(record: RunRecord) -> tuple[str, str]:
    return record.finished, record.run_id


def _named(records: Sequence[RunRecord], suite_key: str, name: str) -> RunRecord:
    by_id = next((record for record in records if record.run_id == name), None)
    if by_id is not None:
        return by_id
    whole = [record for record in records if record.status != "failed"]
    found = max((record for record in whole if record.spec.model == name), key=_age, default=None)
    if found is None:
        known = sorted({record.spec.model for record in whole})
        hint = f"Suite `{suite_key}` has runs of: {', '.join(known) or 'no model'}."
        raise UnknownNameError("model or run", name, known, hint)
    return found
