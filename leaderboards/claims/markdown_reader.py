"""Tables and sentences of Markdown: pipe tables, and the HTML tables and tags that READMEs mix in."""

import html
import re
from collections.abc import Sequence
from typing import Final

from anisora.leaderboards.claims.document import (
    BOLD_OFF,
    BOLD_ON,
    Document,
    ReadRow,
    ReadTable,
    cell_of,
    sentences_of,
    without_marks,
)
from anisora.leaderboards.claims.html_reader import marked_html, tables_of_html

__all__ = ["read_markdown"]

_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_DELIMITER: Final = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HTML_TABLE: Final = re.compile(r"<table\b.*?(?:</table\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_BLOCK_START: Final = re.compile(r"\s*(#{1,6}\s|[-*+]\s|\d+[.)]\s|>|\[\^|-{3,}\s*$)")
_PREFIX: Final = re.compile(r"^\s*(?:#{1,6}\s+|[-*+]\s+(?:\[[ xX]\]\s+)?|>\s?)")
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_BOLD: Final = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*|(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)", re.DOTALL)
_ITALIC: Final = re.compile(r"(?<!\*)\*(?=[^\s*])([^*]+)(?<=[^\s*])\*(?!\*)|(?<!\w)_(?=[^\s_])([^_]+)_(?!\w)")
_MATH_BOLD: Final = re.compile(r"\\(?:mathbf|textbf|bm|boldsymbol)\s*\{([^{}]*)\}")
_HIDDEN: Final = 0xE100
"""Where characters that a backslash makes plain are hidden, while marks are looked for."""


def read_markdown(text: str) -> Document:
    """Read a Markdown page.

    Code blocks and comments hold no tables and no claims.

    Args:
        text: Of the whole file.
    """
    # Blanked, not cut: every line keeps its number.
    text = _COMMENT.sub(_blank, _without_code(text))
    tables: list[ReadTable] = []
    for match in _HTML_TABLE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        caption = _beside(text[: match.start()].splitlines(), text[match.end() :].splitlines())
        tables += tables_of_html(match[0], line=line, caption=caption)
    lines = _HTML_TABLE.sub(_blank, text).split("\n")
    at = 0
    while at + 1 < len(lines):
        size = _pipe_table_at(lines, at)
        if size:
            tables.append(_pipe_table(lines, at, size))
            lines[at : at + size] = [""] * size
        at += size or 1
    tables.sort(key=lambda table: table.line)
    numbered = [
        ReadTable(
            number=number,
            line=table.line,
            caption=table.caption,
            header=table.header,
            rows=table.rows,
        )
        for number, table in enumerate(tables, start=1)
    ]
    return Document(tuple(numbered), tuple(sentence for block in _blocks(lines) for sentence in sentences_of(*block)))


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _without_code(text: str) -> str:
    lines, fence = text.replace("\r\n", "\n").split("\n"), ""
    for at, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence:
            lines[at] = ""
            if found is not None and found[1].startswith(fence) and line.strip() == found[1]:
                fence = ""
        elif found is not None:
            lines[at], fence = "", found[1]
    return "\n".join(lines)


def _pipe_table_at(lines: Sequence[str], at: int) -> int:
    """Return how many lines the table that begins at a line has; 0 where none does."""
    rule = _unquoted(lines[at + 1])
    if "|" not in lines[at] or "|" not in rule + lines[at] or _DELIMITER.fullmatch(rule) is None:
        return 0
    if "-" not in rule or len(_split(lines[at])) != len(_split(rule)):
        return 0
    stop = at + 2
    while stop < len(lines) and "|" in lines[stop]:
        stop += 1
    return stop - at


def _pipe_table(lines: Sequence[str], at: int, size: int) -> ReadTable:
    header = [cell_of(_marked(cell)).text for cell in _split(lines[at])]
    rows = []
    for place in range(at + 2, at + size):
        cells = [cell_of(_marked(cell)) for cell in _split(lines[place])][: len(header)]
        cells += [cell_of("")] * (len(header) - len(cells))
        rows.append(ReadRow(tuple(cells), place + 1))
    caption = _beside(lines[:at], lines[at + size :])
    return ReadTable(number=0, line=at + 1, caption=caption, header=tuple((cell,) for cell in header), rows=tuple(rows))


def _unquoted(line: str) -> str:
    return re.sub(r"^\s*(?:>\s?)+", "", line).strip()


def _split(line: str) -> list[str]:
    """Return the cells of a line of a pipe table."""
    text = _unquoted(line)
    cells = re.split(r"(?<!\\)\|", text)
    if cells and not cells[0].strip():
        cells = cells[1:]
    if cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _beside(before: Sequence[str], after: Sequence[str]) -> str:
    """Return the paragraph above a table and the one below it, as text."""
    above: list[str] = []
    for line in reversed(before):
        if line.strip():
            above.insert(0, line)
        elif above:
            break
    below: list[str] = []
    for line in after:
        if line.strip():
            below.append(line)
        elif below:
            break
    return "\n".join(without_marks(_marked(part)) for part in (" ".join(above), " ".join(below)))


def _blocks(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Return (text, first line) of paragraphs, headings and points of lists."""
    blocks: list[tuple[list[str], int]] = []
    is_open = False
    for number, line in enumerate(lines, start=1):
        starts = _BLOCK_START.match(line) is not None
        if not line.strip():
            is_open = False
        elif starts or not is_open:
            blocks.append(([line], number))
            is_open = not line.lstrip().startswith("#")
        else:
            blocks[-1][0].append(line)
    return [(_marked(_PREFIX.sub("", "\n".join(part))), number) for part, number in blocks]


def _marked(text: str) -> str:
    """Return text without markup, with marks around what is bold."""
    text = re.sub(r"[\ue000-\uf8ff]", "", text)
    text = _MATH_BOLD.sub(lambda match: f"{BOLD_ON}{match[1]}{BOLD_OFF}", text)
    text = _ESCAPE.sub(lambda match: chr(_HIDDEN + ord(match[1])), text)
    text = _LINK.sub(r"\1", _IMAGE.sub("", text)).replace("`", "")
    text = marked_html(text)
    text = _BOLD.sub(lambda match: f"{BOLD_ON}{match[1] or match[2]}{BOLD_OFF}", text)
    text = _ITALIC.sub(lambda match: match[1] or match[2], text)
    text = re.sub(r"[\ue121-\ue17e]", lambda match: chr(ord(match[0]) - _HIDDEN), html.unescape(text))
    return text.replace("$", "")
