"""Grids of text in the styles of a terminal, Markdown and LaTeX, and what each must escape.

Widths are those of a terminal that shows Chinese, Japanese and Korean characters two columns wide.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["csv_text", "display_width", "latex", "markdown", "markdown_grid", "plain", "prose_latex", "text_grid"]

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "★": r"$\star$",
    "≈": r"$\approx$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "‖": r"$\parallel$",
    "…": r"\ldots{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "\N{NON-BREAKING HYPHEN}": r"\mbox{-}",
    "*": "{*}",  # behind the end of a row a bare one would belong to it
}
_LIGATURES: Final = re.compile(r"-(?=-)|'(?=')|,(?=,)")
_LONG_WORD: Final = re.compile(r"[!-~]{21,}")
_PARTS: Final = re.compile(r"[^/:=,._]+[/:=,._]*|[/:=,._]+")
_LONG_PART: Final = 24
_PIECE: Final = 8
_MARKDOWN: Final = frozenset("\\`*_[]<>|#~&$")


def plain(text: str) -> str:
    """Write characters that do not print, such as terminal escapes and line ends, as their code."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def display_width(text: str) -> int:
    """Return the columns a text takes in a terminal."""
    return sum(
        0
        if unicodedata.combining(char) or unicodedata.category(char) == "Cf"
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )


def markdown(text: str) -> str:
    """Escape a text so that Markdown shows it as it is."""
    return "".join(f"\\{char}" if char in _MARKDOWN else char for char in plain(text))


def latex(text: str) -> str:
    """Escape a text so that LaTeX shows it as it is."""
    # Two hyphens would become a dash, two quotes a double one.
    return _LIGATURES.sub(r"\g<0>{}", "".join(_LATEX.get(char, char) for char in plain(text)))


def prose_latex(text: str) -> str:
    r"""Escape a text for a paragraph: words that are too long for a line, such as addresses, may break.

    Example:
        >>> print(prose_latex("damage/freeze:severity=1"))
        damage/\allowbreak{}freeze:\allowbreak{}severity=\allowbreak{}1
    """
    made, at = [], 0
    for found in _LONG_WORD.finditer(text):
        made += [latex(text[at : found.start()]), r"\allowbreak{}".join(map(latex, _breakable(found[0])))]
        at = found.end()
    return "".join([*made, latex(text[at:])])


def _breakable(word: str) -> list[str]:
    """Split a word behind its punctuation, and what has none, such as a digest, anywhere."""
    pieces = []
    for part in _PARTS.findall(word):
        size = _PIECE if len(part) > _LONG_PART else len(part)
        pieces += [part[at : at + size] for at in range(0, len(part), size)]
    return pieces


def text_grid(header: Sequence[str], groups: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    """Align cells in columns, the first to the left, the others to the right; a rule precedes each group.

    Args:
        header: One text a column.
        groups: Groups of rows of cells.
    """
    rows = [header, *(row for group in groups for row in group)]
    widths = [max(display_width(plain(row[at])) for row in rows) for at in range(len(header))]
    rule = "  ".join("-" * width for width in widths)
    lines = [_aligned(header, widths)]
    for group in groups:
        if group:
            lines += [rule, *(_aligned(row, widths) for row in group)]
    return lines


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = []
    for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
        text = plain(cell)
        space = " " * (width - display_width(text))
        padded.append(text + space if at == 0 else space + text)
    return "  ".join(padded).rstrip()


def markdown_grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write cells, escaped already, as a Markdown table."""
    lines = [header, [":--", *("--:" for _ in header[1:])], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write mappings of equal keys as CSV; what a spreadsheet would run as a formula gets a leading quote."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if rows:
        writer.writerow(rows[0].keys())
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row.values()])
    return buffer.getvalue()


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = plain(str(value))
    # Spreadsheets skip leading spaces before they decide that a cell is a formula.
    risky = text.lstrip().startswith(("=", "+", "-", "@"))
    return f"'{text}" if risky and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
