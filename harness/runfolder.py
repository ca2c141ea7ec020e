"""The layout of a run folder, and the only way to write into one.

Every file is written to a temporary name, flushed to disk and renamed, so that a reader finds the old file or the new
one and a killed run leaves nothing half-written. Scores in progress go to a journal, one line per clip, which survives
a kill and is turned into ``scores.parquet`` at the end.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import yaml

from anisora.harness.errors import RecordError
from anisora.harness.failpoints import failpoint
from anisora.harness.journal import Journal, open_journal, read_journal
from anisora.harness.record import RunRecord, RunSpec, canonical_json

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ClipRow", "RunFolder", "ScoreRow", "commit_media", "scores_schema", "sha256_of_file", "write_atomically"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRow:
    """A row of clips.parquet: which file stands for an item, and what it holds."""

    item_id: str
    seed: int
    path: str
    """Relative to the run folder if inside it, else absolute."""
    sha256: str
    fps: float | None
    frames: int | None
    height: int | None
    width: int | None
    codec: str
    pixel_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """A row of scores.parquet. ``status`` ok has a value; unscored and error have none, and a note that says why."""

    item_id: str
    seed: int
    cluster: str
    metric: str
    metric_version: int
    value: float | None
    weight: float
    status: str
    note: str
    parts: dict[str, list[float | None]]
    """Per frame, pair or dimension, by name; None where one has no value."""

    @property
    def key(self) -> tuple[str, str, int]:
        """(metric, item, seed): the sort order of the file."""
        return (self.metric, self.item_id, self.seed)


def sha256_of_file(path: Path, told: Callable[[int], None] | None = None) -> str:
    """Return the sha256 of a file, read in pieces.

    Args:
        path: The file.
        told: Is told how many more bytes were read.
    """
    with path.open("rb") as file:
        if told is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while piece := file.read(1 << 22):
            digest.update(piece)
            told(len(piece))
        return digest.hexdigest()


@contextlib.contextmanager
def write_atomically(path: Path, name: str, *, flush: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that takes its name once it is on disk.

    Args:
        path: The file to write.
        name: The prefix of the failpoints ``before_write``, ``after_write``, ``after_flush`` and ``after_rename``.
        flush: Wait until the content is on disk; needless for content that is checked when it is read.

    Raises:
        OSError: The disk is full or read-only; the old file is untouched and the temporary one removed.
    """
    with _temporary_for(path, name, flush=flush) as temporary:
        with temporary.open("wb") as file:
            yield file
        failpoint(f"{name}.after_write")


@contextlib.contextmanager
def commit_media(path: Path, name: str) -> Iterator[Path]:
    """Give a temporary path that another process writes to; it takes the name of ``path`` once it is on disk.

    Raises:
        OSError: As ``write_atomically``.
    """
    with _temporary_for(path, name, flush=True) as temporary:
        yield temporary
        failpoint(f"{name}.after_write")


@contextlib.contextmanager
def _temporary_for(path: Path, name: str, *, flush: bool) -> Iterator[Path]:
    failpoint(f"{name}.before_write")
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process and thread in the name keep two writers of one file apart; the last rename wins.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        yield temporary
        if flush:
            _flush(temporary, os.O_RDWR)
        failpoint(f"{name}.after_flush")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if flush:
        _flush(path.parent, os.O_RDONLY)  # a rename is on disk only when its directory is
    failpoint(f"{name}.after_rename")


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RunFolder:
    """One run on disk. Reading needs no lock; writing happens under ``lock()``."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is created yet."""
        self.path = path
        self.spec_path = path / "spec.yaml"
        self.clips_path = path / "clips.parquet"
        self.scores_path = path / "scores.parquet"
        self.errors_path = path / "errors.jsonl"
        self.record_path = path / "record.json"
        self.log_path = path / "log.txt"
        self.journal_path = path / "scores.journal.jsonl"
        self.media = path / "clips"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for writing; a second process is told who has it.

        Raises:
            RecordError: Another process writes to this run.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise RecordError(
                    f"Run `{self.path}` is being written by process {file.read().strip() or 'unknown'}; "
                    "wait for it, or choose another --out."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            for leftover in (*self.path.glob(".*.tmp"), *self.media.glob(".*.tmp")):  # of a killed process
                leftover.unlink(missing_ok=True)
            yield

    def write_spec(self, spec: RunSpec) -> None:
        """Write spec.yaml."""
        with write_atomically(self.spec_path, "spec") as file:
            file.write(yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True).encode())

    def read_spec(self) -> RunSpec:
        """Read spec.yaml."""
        return RunSpec.model_validate(yaml.safe_load(self._text(self.spec_path)))

    def write_record(self, record: RunRecord) -> None:
        """Write record.json."""
        with write_atomically(self.record_path, "record") as file:
            file.write(record.model_dump_json(indent=1).encode() + b"\n")

    def read_record(self) -> RunRecord:
        """Read record.json."""
        try:
            return RunRecord.model_validate_json(self._text(self.record_path))
        except ValueError as error:
            raise RecordError(
                f"Record `{self.record_path}` is damaged: {str(error).splitlines()[0]}. "
                "Finish the run again with the command that started it."
            ) from error

    def _text(self, path: Path) -> str:
        if not path.is_file():
            raise RecordError(
                f"Run `{self.path}` has no {path.name}; expected a finished run folder. "
                "Run the command that started it again to finish it."
            )
        return path.read_text(encoding="utf-8")

    def write_clips(self, rows: Sequence[ClipRow]) -> None:
        """Write clips.parquet, sorted by item and seed."""
        _write_parquet(self.clips_path, "clips", _clips_table(rows))

    def read_clips(self) -> list[ClipRow]:
        """Read clips.parquet."""
        return [ClipRow(**row) for row in _read_parquet(self.clips_path).to_pylist()]

    def write_scores(self, rows: Sequence[ScoreRow]) -> None:
        """Write scores.parquet, sorted by metric, item and seed; the same rows give the same bytes."""
        _write_parquet(self.scores_path, "scores", _scores_table(rows))

    def read_scores(self) -> list[ScoreRow]:
        """Read scores.parquet."""
        rows = _read_parquet(self.scores_path).to_pylist()
        return [ScoreRow(**{**row, "parts": dict(row["parts"])}) for row in rows]

    def write_errors(self, errors: Sequence[dict[str, str]]) -> None:
        """Write errors.jsonl: item id, stage, class, message."""
        with write_atomically(self.errors_path, "errors") as file:
            file.writelines(canonical_json(error).encode() + b"\n" for error in errors)

    def read_errors(self) -> list[dict[str, str]]:
        """Read errors.jsonl."""
        return [json.loads(line) for line in self._text(self.errors_path).splitlines()]

    def read_journal(self) -> list[dict[str, Any]]:
        """Return the journal's whole entries."""
        return read_journal(self.journal_path)

    def journal(self) -> contextlib.AbstractContextManager[Journal]:
        """Open the journal for appending, after cutting off a torn last line."""
        return open_journal(self.journal_path)

    def remove_journal(self) -> None:
        """Delete the journal once its rows are in scores.parquet."""
        failpoint("journal.before_remove")
        self.journal_path.unlink(missing_ok=True)
        _flush(self.path, os.O_RDONLY)
        failpoint("journal.after_remove")


def _clips_table(rows: Sequence[ClipRow]) -> "pa.Table":
    import pyarrow as pa

    schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("seed", pa.int64()),
            ("path", pa.string()),
            ("sha256", pa.string()),
            ("fps", pa.float64()),
            ("frames", pa.int64()),
            ("height", pa.int64()),
            ("width", pa.int64()),
            ("codec", pa.string()),
            ("pixel_format", pa.string()),
        ]
    )
    ordered = sorted(rows, key=lambda row: (row.item_id, row.seed))
    return pa.Table.from_pylist([{name: getattr(row, name) for name in schema.names} for row in ordered], schema)


def scores_schema() -> "pa.Schema":
    """Return the columns of scores.parquet."""
    import pyarrow as pa

    return pa.schema(
        [
            ("item_id", pa.string()),
            ("seed", pa.int64()),
            ("cluster", pa.string()),
            ("metric", pa.string()),
            ("metric_version", pa.int64()),
            ("value", pa.float64()),
            ("weight", pa.float64()),
            ("status", pa.string()),
            ("note", pa.string()),
            ("parts", pa.map_(pa.string(), pa.list_(pa.float64()))),
        ]
    )


def _scores_table(rows: Sequence[ScoreRow]) -> "pa.Table":
    import pyarrow as pa

    schema = scores_schema()
    plain = []
    for row in sorted(rows, key=lambda row: row.key):
        cells = {name: getattr(row, name) for name in schema.names}
        cells["parts"] = sorted(row.parts.items())
        plain.append(cells)
    return pa.Table.from_pylist(plain, schema)


def _write_parquet(path: Path, name: str, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    # Fixed settings and no metadata of ours: bytes depend on rows alone.
    with write_atomically(path, name) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=3,
            version="2.6",
            data_page_version="1.0",
            row_group_size=1 << 16,
            use_dictionary=True,
            write_statistics=True,
        )


def _read_parquet(path: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    if not path.is_file():
        raise RecordError(
            f"Run `{path.parent}` has no {path.name}; run the command that started it again to finish it."
        )
    try:
        with pq.ParquetFile(path) as file:  # read_table would import pandas
            return file.read()
    except (OSError, ValueError) as error:
        raise RecordError(
            f"`{path}` is damaged: {error}. Delete it and run the command that started the run again."
        ) from error
