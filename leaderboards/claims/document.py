"""What is read of a file whatever its format: tables of cells with their bold, and the sentences around them.

Readers write text with marks around what is bold (``BOLD_ON``, ``BOLD_OFF``); ``cell_of`` and ``without_marks`` take
them away again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from anisora.leaderboards.claims.printed import is_missing, is_spread

__all__ = [
    "BOLD_OFF",
    "BOLD_ON",
    "Document",
    "ReadCell",
    "ReadRow",
    "ReadTable",
    "Sentence",
    "cell_of",
    "sentences_of",
    "spreads_joined",
    "transposed",
    "without_marks",
]

BOLD_ON: Final = "\ue000"
BOLD_OFF: Final = "\ue001"
"""Characters of the private use area, which no reader lets through from a file."""

_MARKS: Final = str.maketrans("", "", BOLD_ON + BOLD_OFF)
_SENTENCE_END: Final = re.compile(r"(?<=[。！？；])|(?<=[.!?;])\s+(?=[^a-z\s])")


@dataclass(frozen=True, slots=True)
class ReadCell:
    """A cell as a reader sees it."""

    text: str
    """On one line, without markup."""
    bold: bool = False
    """Whether its number, or its first letter where it has none, is bold."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row, as wide as its table."""

    cells: tuple[ReadCell, ...]
    line: int
    """In the file, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A table as printed."""

    number: int
    """In the file, from 1."""
    line: int
    caption: str
    """What is said of the table beside it: a caption, the lines above and below."""
    header: tuple[tuple[str, ...], ...]
    """For each column, the texts that may be its name: all its lines together, then each alone."""
    rows: tuple[ReadRow, ...]
    natural: bool = False
    """Whether values are in natural units, as ``anisora leaderboard --format csv`` writes them."""

    @property
    def label(self) -> str:
        """What a message calls the table."""
        return f"table {self.number} (line {self.line})"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence outside tables."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """All that was read of a file."""

    tables: tuple[ReadTable, ...]
    sentences: tuple[Sentence, ...] = ()


def without_marks(text: str) -> str:
    """Return text without marks of bold, each run of white space one space."""
    return " ".join(text.translate(_MARKS).split())


def cell_of(marked: str) -> ReadCell:
    """Make a cell of text with marks of bold."""
    inside, first = False, None
    for char in marked:
        if char in (BOLD_ON, BOLD_OFF):
            inside = char == BOLD_ON
        elif char.isdigit():
            first = inside
            break
        elif char.isalnum() and first is None:
            first = inside
    return ReadCell(without_marks(marked), bool(first))


def spreads_joined(rows: Sequence[ReadRow]) -> list[ReadRow]:
    """Join lines that hold nothing but the intervals of the row above to that row; their first cell continues its name.

    Args:
        rows: The lines of a table as printed.
    """
    joined: list[ReadRow] = []
    for row in rows:
        texts = [cell.text for cell in row.cells[1:] if not is_missing(cell.text)]
        if joined and texts and all(map(is_spread, texts)):
            above = joined[-1]
            cells = [
                replace(cell, text=f"{cell.text} {below.text}".strip())
                for cell, below in zip_longest(above.cells, row.cells, fillvalue=ReadCell(""))
            ]
            joined[-1] = replace(above, cells=tuple(cells))
        else:
            joined.append(row)
    return joined


def transposed(table: ReadTable) -> ReadTable:
    """Return a table with its columns as rows; a row lies where the table begins."""
    grid = [[ReadCell(names[0]) for names in table.header], *(list(row.cells) for row in table.rows)]
    first, *rest = zip_longest(*grid, fillvalue=ReadCell(""))
    return replace(
        table,
        header=tuple((cell.text,) for cell in first),
        rows=tuple(ReadRow(tuple(cells), table.line) for cells in rest),
    )


def sentences_of(text: str, line: int) -> list[Sentence]:
    """Split a paragraph into sentences.

    Args:
        text: Its lines, joined by line ends.
        line: Of its first line.
    """
    found, start = [], 0
    ends = [match.span() for match in _SENTENCE_END.finditer(text)]
    for stop, following in [*ends, (len(text), len(text))]:
        piece = text[start:stop]
        if piece.strip():
            before = text[: start + len(piece) - len(piece.lstrip())]
            found.append(Sentence(without_marks(piece), line + before.count("\n")))
        start = following
    return found
