"""Reads the records of a JSONL, CSV or Parquet file, each with its line, and refuses what is not one.

The files come from users: sizes are capped, text is UTF-8 (a byte order mark is accepted), and a column or
key that is named twice is an error rather than the last one silently winning.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import missing_path, shortened, unreadable_path

__all__ = ["MAX_BYTES", "MAX_RECORDS", "TABLE_SUFFIXES", "Record", "is_table", "read_records"]

MAX_BYTES: Final = 256 << 20
"""Largest file read, and the largest decompressed size of a Parquet file."""

MAX_RECORDS: Final = 1_000_000

TABLE_SUFFIXES: Final = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Empty cells and JSON nulls are None; the keys are the columns."""

    where: str
    """``file line 3``, or ``file row 3`` of a Parquet file: how a message names the record."""
    line: int
    """Counted from 1; in CSV the header is line 1. Of a record over several lines, the first."""
    values: dict[str, Any]


def is_table(path: Path) -> bool:
    """Return whether the suffix, in any case, is one that ``read_records`` reads."""
    return path.suffix.lower() in TABLE_SUFFIXES


def read_records(path: Path, *, key: str = "id", example: str = "id,video", what: str = "a manifest") -> list[Record]:
    """Read all records of a file; the suffix, in any case, names the format.

    Args:
        path: The file.
        key: A column that it must have; empty for none.
        example: A header that has it.
        what: What the file is, for messages.

    Raises:
        DataError: The file is missing, too large, empty, in another encoding or format, or not well-formed.
            The message has the file and the line.
    """
    readers: dict[str, Callable[[], list[Record]]] = {
        ".jsonl": lambda: _read_jsonl(path),
        ".csv": lambda: _read_csv(path, key, example),
        ".parquet": lambda: _read_parquet(path, key),
    }
    if not path.exists():
        raise missing_path(path, what)
    if not path.is_file() or not is_table(path):
        hint = " Write one JSON object per line and name it .jsonl." if path.suffix.lower() == ".json" else ""
        raise DataError(
            f"`{path}` got the suffix {path.suffix!r}; expected {what}, a file that ends in "
            f"{', '.join(TABLE_SUFFIXES)}.{hint}"
        )
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"`{path}` has {size} bytes; expected {what} of at most {MAX_BYTES}; split it.")
        records = readers[path.suffix.lower()]()
    except OSError as error:
        raise unreadable_path(path, error) from error
    if not records:
        columns = example.replace(",", "` and `")
        raise DataError(f"`{path}` is empty; expected one record per item; add lines with `{columns}`.")
    if len(records) > MAX_RECORDS:
        raise DataError(f"`{path}` has {len(records)} records; expected at most {MAX_RECORDS}; split it.")
    return records


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start : error.start + 1]
        raise DataError(
            f"`{path}` line {line}: got the byte {byte!r}; expected UTF-8; save the file as UTF-8."
        ) from None


def _read_jsonl(path: Path) -> list[Record]:
    records = []
    # Only line feeds end a line: str.splitlines would also cut inside strings, at U+2028 for one.
    for line, text in enumerate(_read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        where = f"`{path}` line {line}"
        try:
            values = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
        except RecursionError:
            raise DataError(f"{where}: is nested too deeply; expected one flat JSON object per line.") from None
        except json.JSONDecodeError as error:
            raise DataError(
                f"{where}: got {shortened(text.strip())}; expected one JSON object ({error.msg} at "
                f"character {error.colno}); correct the line."
            ) from None
        except ValueError as error:
            raise DataError(f"{where}: {error}; expected one JSON object; correct the line.") from None
        if not isinstance(values, dict):
            raise DataError(f'{where}: got {shortened(values)}; expected one JSON object such as {{"id": "a"}}.')
        records.append(Record(where, line, values))
    return records


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"`{shortened(twice)[1:-1]}` is given twice")
    return values


def _refuse_constant(text: str) -> float:
    raise ValueError(f"got {text}, which JSON does not have")


def _read_csv(path: Path, key: str, example: str) -> list[Record]:
    lines = _csv_lines(path, _read_text(path))
    try:
        line, header = next(lines)
    except StopIteration:
        return []
    columns = [name.strip() for name in header]
    if len(columns) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise DataError(
            f"`{path}` line {line}: got the header {shortened(header[0])}; expected columns separated by "
            "commas; save the file with commas."
        )
    if key and key not in columns:
        raise DataError(
            f"`{path}` line {line}: got the header {shortened(','.join(columns))}; expected a header with "
            f"the column `{key}`; add a first line such as {example}."
        )
    for name in columns:
        if not name or columns.count(name) > 1:
            raise DataError(
                f"`{path}` line {line}: the header has the column {shortened(name)} {columns.count(name)} "
                "time(s); expected names that are given once; rename it."
            )
    records = []
    for line, cells in lines:
        where = f"`{path}` line {line}"
        if len(cells) != len(columns):
            raise DataError(
                f"{where}: got {len(cells)} cells; expected {len(columns)}, as in the header; put text "
                "with commas in quotes."
            )
        records.append(
            Record(where, line, {name: cell.strip() or None for name, cell in zip(columns, cells, strict=True)})
        )
    return records


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"`{path}` line {line}: is not CSV ({error}); expected cells separated by commas, text in "
                "double quotes; correct the line."
            ) from None
        if cells:
            yield line, cells


def _read_parquet(path: Path, key: str) -> list[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            size = sum(file.metadata.row_group(index).total_byte_size for index in range(file.metadata.num_row_groups))
            if size > MAX_BYTES or file.metadata.num_rows > MAX_RECORDS:
                raise DataError(
                    f"`{path}` holds {file.metadata.num_rows} rows and {size} bytes decompressed; "
                    f"expected at most {MAX_RECORDS} and {MAX_BYTES}; split it."
                )
            columns = file.schema_arrow.names
            if key and key not in columns:
                raise DataError(f"`{path}` has the columns {shortened(columns)}; expected `{key}` among them; add it.")
            rows = file.read().to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"`{path}` is not a readable Parquet file ({shortened(reason, 120)}); write it again."
        ) from None
    return [
        Record(f"`{path}` row {row}", row, {name: _plain(value) for name, value in values.items()})
        for row, values in enumerate(rows, start=1)
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a Parquet cell holds
    """Return what JSON would have said; pandas writes missing numbers as NaN."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
