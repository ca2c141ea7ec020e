r"""Tables of LaTeX that fit a page: booktabs, with heads and print chosen by how wide the cells are.

What is written needs the packages booktabs and graphicx and no other. Widths are counted in digits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from anisora.leaderboards.typeset import display_width, latex, prose_latex

__all__ = [
    "MISSING_CELL",
    "PACKAGES",
    "TexCell",
    "TexRow",
    "latex_float",
    "latex_notes",
    "latex_number",
    "latex_tabular",
    "number_cell",
]

PACKAGES: Final = r"% needs \usepackage{booktabs,graphicx}"
"""The comment above what is written."""

_NAME: Final = 24
"""The widest name on one line."""
_SEPARATION: Final = 1.7
"""Between two columns."""
_BENEATH: Final = 0.8
"""A digit of the line beneath, as a share of one above it."""
_SMALL: Final = r"\fontsize{6}{7}\selectfont"
_TALL: Final = 36
"""Lines of a table that may be higher than a page."""


@dataclass(frozen=True, slots=True)
class TexCell:
    """A cell, escaped already."""

    tex: str
    width: float
    beneath: str = ""
    """What stands on a line of its own below, in small print."""
    beneath_width: float = 0.0

    @property
    def full_width(self) -> float:
        """The wider of its lines."""
        return max(self.width, self.beneath_width * _BENEATH)


MISSING_CELL: Final = TexCell("--", 2.0)
"""What stands where there is no number: never zero."""


def number_cell(
    number: str, *, marks: str = "", best: bool = False, second: bool = False, beneath: str = ""
) -> TexCell:
    """Write a number: the best bold, the second best underlined, marks raised and without a width of their own.

    Args:
        number: As printed.
        marks: Characters behind it.
        best: Whether it takes the first place of its column.
        second: Whether it takes the second.
        beneath: The line below it.
    """
    text = latex_number(number)
    text = rf"\textbf{{{text}}}" if best else rf"\underline{{{text}}}" if second else text
    # Digits of a column stay below each other: marks hang over into the space between columns.
    raised = rf"\rlap{{$^{{{''.join(map(_in_math, marks))}}}$}}" if marks else ""
    return TexCell(text + raised, len(number), latex_number(beneath), len(beneath))


def _in_math(mark: str) -> str:
    return latex(mark).strip("$")


@dataclass(frozen=True, slots=True)
class TexRow:
    """A row: the name as plain text, and its cells; without any it is a heading across the table."""

    name: str
    cells: tuple[TexCell, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """One way to print a table."""

    size: str
    digits: float
    """That fit into a line of 165 mm."""
    beneath: str
    head: Callable[[str], tuple[str, float]]
    """From the plain text of a head to (LaTeX, width)."""


def _flat(head: str) -> tuple[str, float]:
    return latex(head), display_width(head)


def _stacked(head: str) -> tuple[str, float]:
    """Two lines of words, as equal as can be."""
    words = head.split()
    splits = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
    if not splits:
        return _flat(head)
    lines = min(splits, key=lambda split: max(map(display_width, split)))
    # Phantoms, because a stack sets its lines as close as their letters let it.
    stack = r"\\".join(rf"{latex(line)}\vphantom{{gl}}" for line in lines)
    return rf"\shortstack[r]{{{stack}}}", max(map(display_width, lines))


def _turned(head: str) -> tuple[str, float]:
    return rf"\rotatebox{{90}}{{{latex(head)}}}", 2.0


_LAYOUTS: Final = (
    _Layout("normalsize", 94, r"\scriptsize", _flat),
    _Layout("small", 104, r"\scriptsize", _flat),
    _Layout("small", 104, r"\scriptsize", _stacked),
    _Layout("footnotesize", 121, _SMALL, _stacked),
    _Layout("scriptsize", 138, _SMALL, _stacked),
    _Layout("footnotesize", 117, _SMALL, _turned),
    _Layout("scriptsize", 138, _SMALL, _turned),
)
"""From the best to read to the narrowest."""


def latex_number(text: str) -> str:
    """Escape a number, whose minus is one."""
    return latex(text).replace("-", "$-$")


def latex_tabular(heads: Sequence[str], groups: Sequence[Sequence[TexRow]]) -> list[str]:
    """Write a table without float, caption and notes, as wide as a line at most.

    Print becomes smaller, and heads are stacked or turned, until the cells fit into a line of 165 mm. Where the line of
    the document is shorter than that, and where nothing helps, the table is scaled down.

    Args:
        heads: Plain text, one a column.
        groups: Groups of rows; a rule precedes each.
    """
    groups = [group for group in groups if group]
    rows = [row for group in groups for row in group if row.cells]
    layout = next((each for each in _LAYOUTS if _width(heads, rows, each) <= each.digits), _LAYOUTS[-1])
    breaks = any(display_width(row.name) > _NAME for row in rows)
    body = [" & ".join([latex(heads[0]), *(layout.head(head)[0] for head in heads[1:])]) + r" \\"]
    for group in groups:
        body += [r"\midrule", *(line for row in group for line in _lines(row, layout, len(heads), breaks=breaks))]
    tall = sum(1 + _has_beneath(row) for row in rows) > _TALL
    closing = "}" * (2 + tall)
    return [
        rf"{{\{layout.size}\setlength{{\tabcolsep}}{{4pt}}%",
        *([r"\resizebox*{!}{\ifdim\totalheight>.85\textheight .85\textheight\else\totalheight\fi}{%"] if tall else []),
        r"\resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}",
        r"\toprule",
        *body,
        r"\bottomrule",
        rf"\end{{tabular}}{closing}",
    ]


def _width(heads: Sequence[str], rows: Sequence[TexRow], layout: _Layout) -> float:
    name = max([display_width(heads[0]), *(min(_NAME, display_width(row.name)) for row in rows)])
    widths = [
        max([layout.head(head)[1], *(row.cells[at].full_width for row in rows)]) for at, head in enumerate(heads[1:])
    ]
    return name + sum(widths) + _SEPARATION * len(widths)


def _has_beneath(row: TexRow) -> bool:
    return any(cell.beneath for cell in row.cells)


def _lines(row: TexRow, layout: _Layout, columns: int, *, breaks: bool) -> list[str]:
    """Write a row: its numbers, and below them what stands beneath.

    Args:
        row: The row.
        layout: How the table is printed.
        columns: Of the table, which a heading spans.
        breaks: Whether names go on below, which all do where one has to.
    """
    if not row.cells:
        return [rf"\multicolumn{{{columns}}}{{@{{}}l@{{}}}}{{\emph{{{latex(row.name)}}}}} \\"]
    if not _has_beneath(row):
        return [" & ".join([_boxed(row.name), *(cell.tex for cell in row.cells)]) + r" \\"]
    first, second = _halves(row.name) if breaks else (row.name, "")
    below = [latex(second), *(cell.beneath for cell in row.cells)]
    return [
        " & ".join([_boxed(first), *(cell.tex for cell in row.cells)]) + r" \\[-1pt]",
        " & ".join(rf"{{{layout.beneath} {text}}}" if text else "" for text in below) + r" \\[2pt]",
    ]


def _halves(name: str) -> tuple[str, str]:
    """Return the two lines of a name; it breaks where the settings of a system begin, or else near its middle."""
    breaks = [at + 1 for at, char in enumerate(name) if char in ":/ -_" and 0 < at < len(name) - 1]
    if ":" not in name and display_width(name) <= _NAME:
        return name, ""
    at = min(breaks, key=lambda at: (name[at - 1] != ":", abs(at - len(name) / 2)), default=0)
    return (name[:at], name[at:]) if at and max(at, len(name) - at) <= _NAME else (name, "")


def _boxed(name: str) -> str:
    """Write a name, a long one on several lines."""
    if display_width(name) <= _NAME:
        return latex(name)
    return rf"\parbox[t]{{{_NAME // 2}em}}{{\raggedright {prose_latex(name)}\strut}}"


def latex_notes(notes: Sequence[str]) -> list[str]:
    """Write what is said below a table as one paragraph of small print; nothing where nothing is said."""
    if not notes:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *map(prose_latex, notes),
        r"\end{minipage}",
    ]


def latex_float(caption: str, tabular: Sequence[str], notes: Sequence[str]) -> list[str]:
    """Write a table that floats, with a caption above and notes below.

    Args:
        caption: Plain text.
        tabular: What ``latex_tabular`` returned.
        notes: Plain text; sentences.
    """
    return [
        PACKAGES,
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{prose_latex(caption)}}}",
        r"\smallskip",
        *tabular,
        *latex_notes(notes),
        r"\end{table}",
    ]
