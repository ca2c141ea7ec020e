"""Tables and sentences of LaTeX: tabular and its kin, with the rules of booktabs."""

import re
from typing import Final

from anisora.leaderboards.claims.document import (
    Document,
    ReadCell,
    ReadRow,
    ReadTable,
    Sentence,
    cell_of,
    sentences_of,
    spreads_joined,
    without_marks,
)
from anisora.leaderboards.claims.latex_text import argument_at, marked_latex, without_comments

__all__ = ["read_latex"]

_BEGIN: Final = re.compile(r"\\begin\{(tabular\*?|tabularx|tabulary|longtable\*?|tabu|tblr)\}")
_FLOAT: Final = re.compile(r"\\begin\{((?:side|wrap)?table\*?|threeparttable)\}.*?\\end\{\1\}", re.DOTALL)
_CAPTION: Final = re.compile(r"\\caption(?:of\{\w+\})?\*?\s*(?:\[[^\]]*\])?(?=\s*\{)")
_HEAD_ENDS: Final = re.compile(r"\\(?:midrule|hline|endhead|endfirsthead)(?![a-zA-Z])")
_RULE: Final = re.compile(
    r"\\(?:toprule|midrule|bottomrule|hline|hhline\{[^}]*\}|cline\{[^}]*\}|addlinespace|specialrule(?:\{[^}]*\}){3}|"
    r"cmidrule(?:\([^)]*\))?\{[^}]*\}|end(?:first|last)?(?:head|foot)|rowcolor(?:\[[^\]]*\])?\{[^}]*\})"
    r"(?![a-zA-Z])(?:\[[^\]]*\])?"
)
_PREAMBLE: Final = re.compile(r"\\(?:documentclass|usepackage|newcommand|renewcommand|def|bibliography\w*)\b[^\n]*")
_MULTICOLUMN: Final = re.compile(r"\s*\\multicolumn\s*\{\s*(\d{1,2})\s*\}")
_ROW_ENDS: Final = re.compile(r"\\(?:\\\*?|tabularnewline(?![a-zA-Z]))")
_OPTION: Final = re.compile(r"\s*\[[^\]]*\]")
_WITH_WIDTH: Final = ("tabular*", "tabularx", "tabulary", "tabu")


def read_latex(text: str) -> Document:
    """Read a LaTeX file.

    Args:
        text: Of the whole file, a table alone or a paper.
    """
    text = without_comments(text.replace("\r\n", "\n"))
    floats = [match.span() for match in _FLOAT.finditer(text)]
    tables: list[ReadTable] = []
    gone, at = list(text), 0
    while (found := _BEGIN.search(text, at)) is not None:
        stop = _end_of(text, found.end(), found[1])
        around = next((span for span in floats if span[0] <= found.start() < span[1]), (found.start(), stop))
        beside = text[around[0] : found.start()] + "\n\n" + text[stop : around[1]]
        table = _table(text, found, stop, len(tables) + 1, _caption(beside))
        if table is not None:
            tables.append(table)
        for place in range(found.start(), stop):
            gone[place] = "\n" if text[place] == "\n" else " "
        at = stop
    return Document(tuple(tables), tuple(_sentences("".join(gone))))


def _end_of(text: str, at: int, name: str) -> int:
    """Return where an environment ends whose content begins at a place, those of its name inside it included."""
    depth = 1
    for match in re.finditer(rf"\\(begin|end)\{{{re.escape(name)}\}}", text[at:]):
        depth += 1 if match[1] == "begin" else -1
        if depth == 0:
            return at + match.end()
    return len(text)


def _caption(beside: str) -> str:
    """Return the text in a float that is no table."""
    found = _CAPTION.search(beside)
    given = None if found is None else argument_at(beside, found.end())
    title = "" if given is None else without_marks(marked_latex(given[0]))
    rest = beside if found is None or given is None else beside[: found.start()] + "\n" + beside[given[1] :]
    return f"{title}\n{without_marks(marked_latex(rest))}"


def _table(text: str, found: re.Match[str], stop: int, number: int, caption: str) -> ReadTable | None:
    at = found.end()
    for _ in range(2 if found[1] in _WITH_WIDTH else 1):
        while text[at : at + 1] == "[" and (option := argument_at(text, at)) is not None:
            at = option[1]
        given = argument_at(text, at)
        at = at if given is None else given[1]
    end = text.rfind("\\end{", at, stop)
    header: list[list[ReadCell]] = []
    body: list[ReadRow] = []
    has_head = False
    for start, piece in _rows(text[at : stop if end < 0 else end]):
        has_head = has_head or (bool(header) and _HEAD_ENDS.search(piece) is not None)
        content = _RULE.sub("", piece)
        if not content.strip():
            continue
        cells = [cell for part in _split_cells(content) for cell in _cells(part)]
        lead = len(piece) - len(piece.lstrip())
        line = text.count("\n", 0, at + start + lead + _rules_before(piece[lead:])) + 1
        if has_head:
            body.append(ReadRow(tuple(cells), line))
        else:
            header.append(cells)
    if header and not has_head:  # no rule tells where the head ends: it is the first row
        line = text.count("\n", 0, found.start()) + 1
        body = [ReadRow(tuple(cells), line) for cells in header[1:]]
        header = header[:1]
    if not header or not body:
        return None
    body = spreads_joined(body)
    width = max(len(cells) for cells in (*header, *(row.cells for row in body)))
    heads = [[cell.text for cell in cells] + [""] * (width - len(cells)) for cells in header]
    return ReadTable(
        number=number,
        line=text.count("\n", 0, found.start()) + 1,
        caption=caption,
        header=tuple(_names([head[place] for head in heads]) for place in range(width)),
        rows=tuple(ReadRow((*row.cells, *[cell_of("")] * (width - len(row.cells))), row.line) for row in body),
    )


def _names(texts: list[str]) -> tuple[str, ...]:
    told = [text for text in texts if text]
    return tuple(dict.fromkeys([" ".join(told), *reversed(told)]))


def _rules_before(piece: str) -> int:
    """Return the length of the rules and white space that a row begins with."""
    at = 0
    while (rule := _RULE.match(piece, at)) is not None:
        at = rule.end() + len(piece[rule.end() :]) - len(piece[rule.end() :].lstrip())
    return at


def _rows(content: str) -> list[tuple[int, str]]:
    r"""Split at ``\\`` outside braces; return (where each begins, what it is)."""
    found, depth, start, at = [], 0, 0, 0
    while at < len(content):
        if content[at] == "\\":
            name = _ROW_ENDS.match(content, at)
            if name is not None and depth == 0:
                found.append((start, content[start:at]))
                option = _OPTION.match(content, name.end())
                at = start = name.end() if option is None else option.end()
            else:
                at += 2
            continue
        depth += {"{": 1, "}": -1}.get(content[at], 0)
        at += 1
    return [*found, (start, content[start:])]


def _split_cells(row: str) -> list[str]:
    """Split at ``&`` outside braces."""
    cells, depth, start, at = [], 0, 0, 0
    while at < len(row):
        char = row[at]
        if char == "\\":
            at += 1
        elif char == "&" and depth == 0:
            cells.append(row[start:at])
            start = at + 1
        depth += {"{": 1, "}": -1}.get(char, 0)
        at += 1
    return [*cells, row[start:]]


def _cells(part: str) -> list[ReadCell]:
    """Return the cell of a part of a row, as often as it spans columns."""
    spans = _MULTICOLUMN.match(part)
    return [cell_of(marked_latex(part))] * (1 if spans is None else max(1, int(spans[1])))


def _sentences(text: str) -> list[Sentence]:
    found, line = [], 1
    body = text.find("\\begin{document}")
    head = text[: max(0, body)]
    text = re.sub(r"[^\n]", " ", head) + _PREAMBLE.sub("", text[max(0, body) :])
    for block in re.split(r"(\n[ \t]*\n)", text):
        if block.strip():
            lead = len(block) - len(block.lstrip())
            found += sentences_of(marked_latex(block.strip()), line + block[:lead].count("\n"))
        line += block.count("\n")
    return found
