"""Reads the Parquet files of a bundle from memory, after a look at what they declare to hold."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import DataError
from anisora.harness.runfolder import ClipRow, ScoreRow, scores_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BundledClip", "clips_bytes", "read_clips", "read_scores"]

MOST_ROWS: Final = 2_000_000
MOST_TEXT: Final = 10_000
"""Characters of one cell."""
_MOST_TEXT_IN_ALL: Final = 256 << 20
_MOST_DECLARED: Final = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledClip:
    """A row of a bundle's clips.parquet: what was scored, and not where it lay."""

    item_id: str
    seed: int
    sha256: str
    fps: float | None
    """Frames per second."""
    frames: int | None
    height: int | None
    """Pixels."""
    width: int | None
    codec: str
    pixel_format: str


def _clips_schema() -> "pa.Schema":
    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float | None": pa.float64(), "int | None": pa.int64()}
    return pa.schema([(name, kinds[_kind(kind)]) for name, kind in BundledClip.__annotations__.items()])


def _kind(annotation: Any) -> str:  # noqa: ANN401 - a type or a union of types
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def clips_bytes(rows: list[ClipRow]) -> bytes:
    """Return clips.parquet of a bundle: the rows without their paths; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _clips_schema()
    ordered = sorted(rows, key=lambda row: (row.item_id, row.seed))
    table = pa.Table.from_pylist([{name: getattr(row, name) for name in schema.names} for row in ordered], schema)
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd", compression_level=3, version="2.6", data_page_version="1.0")
    return file.getvalue()


def read_scores(content: bytes, where: str) -> list[ScoreRow]:
    """Return the rows of scores.parquet without their parts, which a leaderboard does not hold.

    Args:
        content: The file.
        where: How it is called in messages.

    Raises:
        DataError: It is damaged, has other columns or types, a cell without a value, or is too large.
    """
    rows = _rows(content, where, scores_schema(), may_lack=frozenset({"value"}), unread=frozenset({"parts"}))
    return [ScoreRow(**row, parts={}) for row in rows]


def read_clips(content: bytes, where: str) -> list[BundledClip]:
    """Return the rows of a bundle's clips.parquet.

    Args:
        content: The file.
        where: How it is called in messages.

    Raises:
        DataError: As ``read_scores``.
    """
    may_lack = frozenset({"fps", "frames", "height", "width"})
    return [BundledClip(**row) for row in _rows(content, where, _clips_schema(), may_lack=may_lack)]


def _rows(
    content: bytes,
    where: str,
    expected: "pa.Schema",
    *,
    may_lack: frozenset[str],
    unread: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    read = [name for name in expected.names if name not in unread]
    texts = [name for name in read if expected.field(name).type == pa.string()]
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            _check_declared(file, where, expected)
        # Texts stay in their dictionaries until it is known how long they are: a few bytes can stand for gigabytes.
        with pq.ParquetFile(io.BytesIO(content), read_dictionary=texts) as file:
            table = file.read(columns=read)
        _check_cells(table, where, may_lack)
        plain = table.cast(pa.schema([expected.field(name) for name in read]))
        rows: list[dict[str, Any]] = plain.to_pylist()
    except (OSError, ValueError, TypeError, KeyError, MemoryError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            f"{where} is no Parquet file that can be read: {reason}; expected the rows of a run; make the bundle again."
        ) from error
    return rows


def _check_declared(file: Any, where: str, expected: "pa.Schema") -> None:  # noqa: ANN401 - pyarrow has no types
    found = file.schema_arrow
    names = list(found.names)
    if names != expected.names:
        raise DataError(f"{where} has the columns {_listed(names)}; expected {_listed(expected.names)}.")
    for field in expected:
        kind = found.field(field.name).type
        if _plain_name(kind) != _plain_name(field.type):
            raise DataError(f"{where} has {str(kind)[:60]} in the column `{field.name}`; expected {field.type}.")
    meta = file.metadata
    declared = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
    if meta.num_rows > MOST_ROWS or declared > _MOST_DECLARED:
        raise DataError(
            f"{where} declares {meta.num_rows:,} rows and {declared:,} bytes; expected at most {MOST_ROWS:,} and "
            f"{_MOST_DECLARED:,}."
        )


def _plain_name(kind: "pa.DataType") -> str:
    """Name a type without the names of its parts, which differ between writers, and without dictionaries."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain_name(kind.value_type)
    if pa.types.is_map(kind):
        return f"map of {_plain_name(kind.key_type)} to {_plain_name(kind.item_type)}"
    if pa.types.is_list(kind):
        return f"list of {_plain_name(kind.value_type)}"
    return str(kind)


def _check_cells(table: "pa.Table", where: str, may_lack: frozenset[str]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for name in table.column_names:
        column = table.column(name)
        if column.null_count and name not in may_lack:
            raise DataError(f"{where} has {column.null_count} cells without a value in the column `{name}`.")
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            lengths = pc.utf8_length(chunk.dictionary)
            longest = pc.max(lengths).as_py() or 0
            if longest > MOST_TEXT:
                raise DataError(
                    f"{where} has a text of {longest:,} characters in the column `{name}`; expected "
                    f"at most {MOST_TEXT:,}."
                )
            total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
    if total > _MOST_TEXT_IN_ALL:
        raise DataError(f"{where} has texts of {total:,} characters in all; expected at most {_MOST_TEXT_IN_ALL:,}.")


def _listed(names: list[str]) -> str:
    text = ", ".join(names)
    return ascii(text if len(text) <= 200 else f"{text[:200]}...")
