"""The statements that put runs into a leaderboard and read them back, and the search for run folders."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.failpoints import failpoint
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import RunFolder, ScoreRow, sha256_of_file
from anisora.leaderboards.submission import Submission

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection as Connection

__all__ = [
    "delete_run",
    "find_run_folders",
    "insert_run",
    "parsed_record",
    "put_submission",
    "replace_all",
    "rows_of",
    "stored_record",
    "stored_scores",
    "stored_submissions",
]


def rows_of(connection: "Connection", query: str, values: object = None) -> list[tuple[Any, ...]]:
    """Run a query with its values and return all rows."""
    return connection.execute(query, values).fetchall()


def stored_record(connection: "Connection", run_id: str) -> RunRecord:
    """Return the record of a run.

    Raises:
        UnknownNameError: There is no such run.
    """
    rows = rows_of(connection, "SELECT run_id, record FROM run WHERE run_id = ?", [run_id])
    if not rows:
        known = [str(row[0]) for row in rows_of(connection, "SELECT run_id FROM run")]
        raise UnknownNameError("run", run_id, known, 'Run "anisora leaderboard rebuild" if its folder exists.')
    return parsed_record(*rows[0])


def parsed_record(run_id: str, text: str) -> RunRecord:
    """Read a stored record.

    Raises:
        RecordError: It was written by another version, or is damaged.
    """
    try:
        return RunRecord.model_validate_json(text)
    except ValueError as error:
        raise RecordError(
            f"Run `{run_id}` in the leaderboard has a record that cannot be read: "
            f'{str(error).splitlines()[0]}. Run "anisora leaderboard rebuild".'
        ) from error


def stored_scores(connection: "Connection", run_id: str, metrics: Collection[str] | None = None) -> list[ScoreRow]:
    """Return the rows of a run, sorted by metric, item and seed, without their parts; all metrics by default."""
    columns = ("item_id", "seed", "cluster", "metric", "metric_version", "value", "weight", "status", "note")
    rows = rows_of(
        connection,
        "SELECT item_id, seed, cluster, metric, metric_version, value, weight, status, note "
        "FROM score WHERE run_id = $run AND ($all OR list_contains($metrics, metric)) "
        "ORDER BY metric, item_id, seed",
        {"run": run_id, "all": metrics is None, "metrics": sorted(metrics or [""])},
    )
    return [ScoreRow(**dict(zip(columns, row, strict=True)), parts={}) for row in rows]


def stored_submissions(connection: "Connection") -> dict[str, Submission]:
    """Return {run id: what is known of it}; runs that were made here and stand are absent."""
    columns = ("run_id", "status", "note", "date", "sha256", "withdrawn", "reason")
    rows = rows_of(
        connection, "SELECT run_id, status, note, date, sha256, withdrawn, reason FROM submission ORDER BY run_id"
    )
    return {str(row[0]): Submission(**dict(zip(columns, row, strict=True))) for row in rows}


def put_submission(connection: "Connection", submission: Submission) -> None:
    """Store what is known of a run in the place of what was."""
    connection.execute("DELETE FROM submission WHERE run_id = ?", [submission.run_id])
    connection.execute(
        "INSERT INTO submission (run_id, status, note, date, sha256, withdrawn, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            submission.run_id,
            submission.status,
            submission.note,
            submission.date,
            submission.sha256,
            submission.withdrawn,
            submission.reason,
        ],
    )


def delete_run(connection: "Connection", run_id: str) -> None:
    """Take a run out of all tables, if it is there."""
    for statement in (
        "DELETE FROM score WHERE run_id = ?",
        "DELETE FROM result WHERE run_id = ?",
        "DELETE FROM run WHERE run_id = ?",
    ):
        connection.execute(statement, [run_id])


def insert_run(connection: "Connection", record: RunRecord, scores: Sequence[ScoreRow], folder: str) -> None:
    """Put a run that is not there into the tables."""
    spec = record.spec
    connection.execute(
        "INSERT INTO run (run_id, suite_key, suite, suite_version, track, model, model_spec, status, "
        "started, finished, protocol_digest, reference, untrained, items, errors, folder, record) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            record.run_id,
            record.suite_key,
            spec.suite,
            spec.suite_version,
            spec.track,
            spec.model,
            spec.model_spec,
            record.status,
            record.started,
            record.finished,
            record.protocol.digest,
            record.reference,
            record.untrained,
            record.items,
            record.errors,
            folder,
            record.model_dump_json(),
        ],
    )
    # Row by row an insert takes milliseconds; as one Arrow table, all of them together do.
    if record.results:
        connection.register("incoming", _result_table(record))
        connection.execute(
            "INSERT INTO result SELECT run_id, metric, version, direction, value, low, high, level, "
            "interval, interval_note, standard_error, scored, unscored, errors, clusters FROM incoming"
        )
        connection.unregister("incoming")
    if scores:
        connection.register("incoming", _score_table(record.run_id, scores))
        connection.execute(
            "INSERT INTO score SELECT run_id, item_id, seed, cluster, metric, metric_version, value, weight, "
            "status, note FROM incoming"
        )
        connection.unregister("incoming")


def _result_table(record: RunRecord) -> "pa.Table":
    import pyarrow as pa

    numbers = {name: pa.float64() for name in ("value", "low", "high", "level", "standard_error")}
    counts = {name: pa.int64() for name in ("version", "scored", "unscored", "errors", "clusters")}
    texts = {name: pa.string() for name in ("run_id", "metric", "direction", "interval", "interval_note")}
    rows = [{"run_id": record.run_id, **result.model_dump()} for result in record.results]
    return pa.Table.from_pylist(rows, pa.schema(texts | counts | numbers))


def _score_table(run_id: str, scores: Sequence[ScoreRow]) -> "pa.Table":
    import pyarrow as pa

    kinds = {
        "item_id": pa.string(),
        "seed": pa.int64(),
        "cluster": pa.string(),
        "metric": pa.string(),
        "metric_version": pa.int64(),
        "value": pa.float64(),
        "weight": pa.float64(),
        "status": pa.string(),
        "note": pa.string(),
    }
    ordered = sorted(scores, key=lambda row: row.key)
    columns = {name: pa.array([getattr(row, name) for row in ordered], kind) for name, kind in kinds.items()}
    return pa.table({"run_id": pa.array([run_id] * len(ordered), pa.string()), **columns})


def find_run_folders(runs: Path) -> tuple[list[Path], list[Path]]:
    """Return the finished and the unfinished run folders at or below a folder; they do not nest."""
    finished, unfinished = [], []
    for place, folders, names in os.walk(runs):
        folders[:] = sorted(name for name in folders if not name.endswith(".rerun"))  # a repetition, for comparison
        if "record.json" in names:
            finished.append(Path(place))
        elif "spec.yaml" in names:
            unfinished.append(Path(place))
        if "record.json" in names or "spec.yaml" in names:
            folders.clear()
    return finished, unfinished


def replace_all(
    connection: "Connection", runs: Path, folders: Sequence[Path]
) -> tuple[tuple[str, ...], tuple[tuple[Path, str], ...]]:
    """Empty the tables and fill them from run folders; runs that came as a bundle have none, and stay.

    Returns:
        The ids of the runs added, and the folders that cannot be trusted, each with the reason.

    Raises:
        RecordError: Not one folder can be read; the transaction is to be rolled back.
    """
    for table in ("score", "result", "run"):
        connection.execute(
            f"DELETE FROM {table} WHERE run_id NOT IN (SELECT run_id FROM submission WHERE sha256 IS NOT NULL)"  # noqa: S608
        )
    failpoint("ingest.after_delete")
    submitted = {str(run_id): str(record) for run_id, record in rows_of(connection, "SELECT run_id, record FROM run")}
    added: dict[str, Path] = {}
    skipped: list[tuple[Path, str]] = []
    for folder in folders:
        try:
            record, scores = _load(RunFolder(folder))
        except RecordError as error:
            skipped.append((folder, str(error)))
            continue
        if record.run_id in submitted:
            if record.results != parsed_record(record.run_id, submitted[record.run_id]).results:
                skipped.append((folder, f"Run `{record.run_id}` came as a bundle, with other results."))
            continue
        if record.run_id in added:
            first = added[record.run_id]
            if record.results != RunFolder(first).read_record().results:  # the same run made twice says the same
                skipped.append((folder, f"Run `{record.run_id}` is already there with other results, from `{first}`."))
            continue
        insert_run(connection, record, scores, str(folder.resolve()))
        added[record.run_id] = folder
    if not added and skipped:
        raise RecordError(
            f"None of the {len(folders)} runs in `{runs}` can be read; the leaderboard was left as it is. "
            f"The first: {skipped[0][1]}"
        )
    return tuple(added), tuple(skipped)


def _load(folder: RunFolder) -> tuple[RunRecord, list[ScoreRow]]:
    record = folder.read_record()
    try:
        scores = folder.read_scores()
    except (KeyError, TypeError) as error:
        raise RecordError(f"`{folder.scores_path}` lacks or has other columns than scores do: {error}.") from error
    expected = record.files.get(folder.scores_path.name)
    if expected is not None and sha256_of_file(folder.scores_path) != expected:
        raise RecordError(
            f"`{folder.scores_path}` was changed after the run: its sha256 is not the one in record.json. "
            f'Run "anisora verify {folder.path}".'
        )
    return record, scores
