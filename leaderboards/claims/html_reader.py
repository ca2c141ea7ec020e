"""Tables of HTML, as READMEs hold them, and text with tags."""

import html
import re
from html.parser import HTMLParser
from typing import Final

from anisora.leaderboards.claims.document import BOLD_OFF, BOLD_ON, ReadCell, ReadRow, ReadTable, cell_of

__all__ = ["marked_html", "tables_of_html"]

_BOLD_TAGS: Final = re.compile(r"<(/?)(?:b|strong)(?:\s[^>]*)?>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_WIDEST: Final = 200
"""Columns or rows that one cell may span."""
_MOST_COLUMNS: Final = 1_000


def marked_html(text: str) -> str:
    """Return text without tags, with marks around what they make bold; line ends stay."""
    text = _BOLD_TAGS.sub(lambda match: BOLD_OFF if match[1] else BOLD_ON, text)
    return _TAG.sub(lambda match: " " + "\n" * match[0].count("\n"), text)


def tables_of_html(text: str, *, line: int, caption: str) -> list[ReadTable]:
    """Read the tables of a piece of HTML; a table inside a cell is read as one of its own.

    Args:
        text: The piece.
        line: Of its beginning in the file.
        caption: What stands beside it.
    """
    parser = _Tables()
    parser.feed(text)
    parser.close()
    made = []
    for first, title, rows in parser.found:
        grid = _filled(rows)
        heads = max(1, next((at for at, row in enumerate(rows) if not row.is_head), len(rows)))
        if len(grid) <= heads:
            continue
        width = max(len(cells) for cells in grid)
        padded = [[*cells, *[cell_of("")] * (width - len(cells))] for cells in grid]
        made.append(
            ReadTable(
                number=0,
                line=line + first - 1,
                caption="\n".join(filter(None, (title, caption))),
                header=tuple(_names([row[at].text for row in padded[:heads]]) for at in range(width)),
                rows=tuple(
                    ReadRow(tuple(cells), line + row.line - 1)
                    for cells, row in zip(padded[heads:], rows[heads:], strict=True)
                ),
            )
        )
    return made


def _names(texts: list[str]) -> tuple[str, ...]:
    """Return the texts of a heading in several lines: together, then each alone, the lowest first."""
    told = list(dict.fromkeys(text for text in texts if text))
    return tuple(dict.fromkeys([" ".join(told), *reversed(told)]))


class _Row:
    """A row while it is read."""

    def __init__(self, line: int, *, is_head: bool) -> None:
        self.line = line
        self.is_head = is_head
        self.cells: list[tuple[list[str], int, int]] = []
        """(pieces of text, columns, rows) of each cell."""


class _Tables(HTMLParser):
    """Collects (line, caption, rows) of each table."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str, list[_Row]]] = []
        self._open: list[int] = []
        self._text: list[list[str]] = []
        self._in_head = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, row or cell, or bold text."""
        if tag == "table":
            self._open.append(len(self.found))
            self.found.append((self.getpos()[0], "", []))
        elif tag == "thead":
            self._in_head = True
        elif tag in ("b", "strong", "br"):
            self._put(" " if tag == "br" else BOLD_ON)
        elif tag == "caption" and self._open:
            self._text.append([])
        elif tag == "tr" and self._open:
            self._rows.append(_Row(self.getpos()[0], is_head=True))
        elif tag in ("td", "th") and self._open and self._rows:
            row, given = self._rows[-1], dict(attrs)
            row.is_head = row.is_head and (tag == "th" or self._in_head)
            row.cells.append(([], _span(given.get("colspan")), _span(given.get("rowspan"))))
            self._text.append(row.cells[-1][0])

    def handle_endtag(self, tag: str) -> None:
        """End what began."""
        if tag == "table" and self._open:
            self._open.pop()
        elif tag == "thead":
            self._in_head = False
        elif tag in ("b", "strong"):
            self._put(BOLD_OFF)
        elif tag in ("td", "th") and self._text:
            self._text.pop()
        elif tag == "caption" and self._text and self._open:
            title = cell_of("".join(self._text.pop())).text
            line, _, rows = self.found[self._open[-1]]
            self.found[self._open[-1]] = (line, title, rows)

    def handle_data(self, data: str) -> None:
        """Take text into the innermost cell."""
        self._put(re.sub(r"[\ue000-\uf8ff]", "", data))

    @property
    def _rows(self) -> list[_Row]:
        return self.found[self._open[-1]][2]

    def _put(self, text: str) -> None:
        if self._text:
            self._text[-1].append(text)


def _span(text: str | None) -> int:
    return min(_WIDEST, max(1, int(text))) if text is not None and re.fullmatch(r"\d{1,3}", text.strip()) else 1


_Hanging = dict[int, tuple[int, ReadCell]]
"""{column: (rows to go, cell)} of cells that reach into rows below."""


def _filled(rows: list[_Row]) -> list[list[ReadCell]]:
    """Return the cells of each row, those that span several in each of their places."""
    grid: list[list[ReadCell]] = []
    hanging: _Hanging = {}
    for row in rows:
        cells: list[ReadCell] = []
        below: _Hanging = {}
        for pieces, columns, down in row.cells:
            _take(cells, hanging, below)
            cell = cell_of(_markdown_bold("".join(pieces)))
            for _ in range(min(columns, _MOST_COLUMNS - len(cells))):
                if down > 1:
                    below[len(cells)] = (down - 1, cell)
                cells.append(cell)
        _take(cells, hanging, below)
        hanging = below
        grid.append(cells)
    return grid


def _take(cells: list[ReadCell], hanging: _Hanging, below: _Hanging) -> None:
    """Append the cells that reach into the next places from above."""
    while len(cells) in hanging:
        left, cell = hanging.pop(len(cells))
        if left > 1:
            below[len(cells)] = (left - 1, cell)
        cells.append(cell)


def _markdown_bold(text: str) -> str:
    """Return the text of a cell with Markdown's bold as marks: READMEs mix the two."""
    return re.sub(
        r"\*\*(.+?)\*\*", lambda match: f"{BOLD_ON}{match[1]}{BOLD_OFF}", html.unescape(text), flags=re.DOTALL
    )
