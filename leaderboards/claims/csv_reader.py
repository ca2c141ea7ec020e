"""Tables of CSV: one row a system, or one line per system and metric as ``anisora leaderboard --format csv`` writes."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Final

from anisora.harness.errors import DataError
from anisora.leaderboards.claims.document import BOLD_OFF, BOLD_ON, Document, ReadCell, ReadRow, ReadTable, cell_of
from anisora.leaderboards.footnotes import TIED

__all__ = ["read_csv"]

_TIDY: Final = ("model", "metric", "value")
_MARKED: Final = re.compile(r"\*\*(.+?)\*\*|<(?:b|strong)>(.+?)</(?:b|strong)>", re.IGNORECASE)


def read_csv(text: str, origin: str) -> Document:
    r"""Read a CSV or TSV file; lines that begin with ``#`` above the header are its caption.

    Bold is written as Markdown or HTML do: ``**99.34**``.

    Args:
        text: Of the whole file.
        origin: What an error calls the file.

    Raises:
        DataError: It is no table.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    skipped = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    caption = " ".join(line.lstrip("# ") for line in lines[:skipped])
    body = "\n".join(lines[skipped:])
    delimiter = "\t" if "\t" in lines[min(skipped, len(lines) - 1)] else ","
    reader = csv.reader(io.StringIO(body), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    line = skipped + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"`{origin}` is no CSV (line {line}: {error}); expected one row a system; correct it."
        ) from error
    if len(rows) < 2 or len(rows[0][1]) < 2:
        raise DataError(
            f"`{origin}` has {len(rows)} rows that hold anything; expected a header and rows of at least two cells; "
            "name a file with a table."
        )
    heads = [head.strip().lstrip("\ufeff") for head in rows[0][1]]
    if set(_TIDY) <= set(heads):
        return Document(tuple(_tidy(heads, rows[1:], caption)))
    for line, cells in rows[1:]:
        if len(cells) > len(heads):
            raise DataError(
                f"`{origin}` has {len(cells)} cells in line {line}; expected {len(heads)}, as in its header; put "
                "quotes around cells with commas."
            )
    table = ReadTable(
        number=1,
        line=rows[0][0],
        caption=caption,
        header=tuple((cell_of(_marked(head)).text,) for head in heads),
        rows=tuple(
            ReadRow(tuple(cell_of(_marked(cell)) for cell in (*cells, *[""] * (len(heads) - len(cells)))), line)
            for line, cells in rows[1:]
        ),
    )
    return Document((table,))


def _marked(text: str) -> str:
    text = re.sub(r"[\ue000-\uf8ff]", "", text)
    text = _MARKED.sub(lambda match: f"{BOLD_ON}{match[1] or match[2]}{BOLD_OFF}", text)
    # A quote keeps a spreadsheet from running what follows.
    return text[1:] if re.match(r"'\s*[=+@-]", text) else text


def _tidy(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]], caption: str) -> list[ReadTable]:
    """Return one table a suite of lines that hold one value each."""
    by_suite: dict[str, list[tuple[int, Mapping[str, str]]]] = {}
    for line, cells in rows:
        given = dict(zip(heads, cells, strict=False))
        by_suite.setdefault(given.get("suite", ""), []).append((line, given))
    return [_of_suite(number, given, caption) for number, given in enumerate(by_suite.values(), start=1)]


def _of_suite(number: int, lines: Sequence[tuple[int, Mapping[str, str]]], caption: str) -> ReadTable:
    metrics = list(dict.fromkeys(given.get("metric", "") for _, given in lines))
    # A line of a system and metric that are there already begins the system's row anew: it is printed twice.
    rows: list[tuple[int, str, dict[str, ReadCell]]] = []
    for line, given in lines:
        model, metric = cell_of(_marked(given.get("model", ""))).text, given.get("metric", "")
        key = given.get("run_id") or model
        text = given.get("printed", given.get("value", "")) or "-"
        text += TIED if given.get("tied", "").strip().lower() == "true" else ""
        cell = ReadCell(cell_of(_marked(text)).text, given.get("best", "").strip().lower() == "true")
        mine = next((cells for _, name, cells in reversed(rows) if name == key), None)
        if mine is None or metric in mine:
            rows.append((line, key, {"": ReadCell(model), metric: cell}))
        else:
            mine[metric] = cell
    natural = all("printed" not in given for _, given in lines)
    return ReadTable(
        number=number,
        line=lines[0][0],
        caption=caption,
        header=(("model",), *((metric,) for metric in metrics)),
        rows=tuple(
            ReadRow(tuple(cells.get(name, ReadCell("-")) for name in ("", *metrics)), line) for line, _, cells in rows
        ),
        natural=natural,
    )
