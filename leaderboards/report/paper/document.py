"""The texts of a paper pack: the document, its protocol, its checklist and its bibliography, as LaTeX and Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.leaderboards.page_parts import part
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.paper.checklist import Check
from anisora.leaderboards.report.paper.references import Citation, bibliography_text
from anisora.leaderboards.report.provenance import protocol_paragraph
from anisora.leaderboards.typeset import latex, markdown, markdown_grid, prose_latex
from anisora.leaderboards.words import Words

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = [
    "FONTS",
    "PaperFigure",
    "bibliography_latex",
    "checklist_latex",
    "checklist_markdown",
    "paper_latex",
    "protocol_latex",
    "protocol_markdown",
]

FONTS: Final = ("Noto Serif CJK SC", "Source Han Serif SC", "Noto Sans CJK SC", "FandolSong-Regular.otf")
"""Chinese fonts, the first of which that is there is taken where the document is compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFigure:
    """A figure of a paper."""

    path: Path
    """A PDF below the folder of the pack."""
    caption: str


def paper_latex(
    data: ReportData,
    words: Words,
    *,
    figures: Sequence[tuple[str, str]] = (),
    published: bool = False,
    characters: str = "",
) -> str:
    """Write the document that holds everything else.

    Args:
        data: The report.
        words: The language.
        figures: (path relative to the document, caption).
        published: Whether there is a table of reported rows.
        characters: All characters of the files that it reads.
    """
    table, records = data.table, list(data.records.values())
    arrows = any(column.arrow for column in table.columns)
    context = {
        "say": words,
        "chinese": words.language == "zh",
        "fonts": FONTS,
        "version": _version(),
        "title": table.title,
        "date": max(record.finished for record in records)[:10],
        "caption": " ".join([f"{table.title} ({table.suite_key}).", *([words("paper_arrows")] if arrows else [])]),
        "means": words(
            "paper_means",
            items=max((record.items for record in records), default=0),
            clusters=max((cell.clusters for row in table.rows for cell in row.cells), default=0),
            systems=sum(not row.reference for row in table.rows),
            columns=len(table.columns),
        ),
        "figures": [{"path": path, "caption": caption} for path, caption in figures],
        "published": published,
    }
    text = _template().render(context, characters=[])
    found = sorted(set(text + characters) - set(map(chr, range(128))))
    shown = [char for char in found if not (words.language == "zh" and _is_chinese(char))]
    return _template().render(context, characters=[(char, f"{ord(char):04X}") for char in shown])


def _is_chinese(char: str) -> bool:
    """Whether a Chinese font has a character."""
    code = ord(char)
    return (
        0x2E80 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0xFF00 <= code <= 0xFFEF or 0x20000 <= code <= 0x3FFFF
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML; what comes from files passes the filter
    )
    environment.filters["tex"] = prose_latex
    return environment.from_string(part("paper.tex.j2", "report.paper"))


def _version() -> str:
    import anisora

    return anisora.__version__


def protocol_latex(data: ReportData, words: Words, citations: Sequence[Citation]) -> str:
    """Write the protocol paragraph, and the sources of all that was used, cited."""
    sources = _sources(words, citations, prose_latex, lambda keys: rf"~\cite{{{','.join(keys)}}}")
    return f"{prose_latex(protocol_paragraph(data, words))}\n\n{sources}\n"


def protocol_markdown(data: ReportData, words: Words, citations: Sequence[Citation]) -> str:
    """Write the protocol paragraph, the sources of all that was used by number, and the list of them."""
    number = {citation.key: place for place, citation in enumerate(citations, start=1)}
    sources = _sources(words, citations, markdown, lambda keys: f" [{', '.join(str(number[key]) for key in keys)}]")
    lines = (f"{place}. {markdown(line)}" for place, line in enumerate(bibliography_text(citations, as_latex=False), 1))
    return "\n".join([markdown(protocol_paragraph(data, words)), "", sources, "", *lines, ""])


def _sources(
    words: Words, citations: Sequence[Citation], escape: Callable[[str], str], cite: Callable[[list[str]], str]
) -> str:
    """Say what each metric, suite, weight file and method is from."""
    keys: dict[str, list[str]] = {}
    for citation in citations:
        for subject in citation.subjects:
            keys.setdefault(subject, []).append(citation.key)
    told = words("separator").join(f"{escape(subject)}{cite(found)}" for subject, found in keys.items())
    return words("paragraph_sources", sources=told)


def bibliography_latex(citations: Sequence[Citation]) -> str:
    r"""Write what BibTeX would, so that the document has its references without a run of it."""
    lines = [
        rf"\bibitem{{{citation.key}}}{chr(10)}{line}{chr(10)}"
        for citation, line in zip(citations, bibliography_text(citations, as_latex=True), strict=True)
    ]
    return "\n".join([r"\begin{thebibliography}{99}", "", *lines, r"\end{thebibliography}", ""])


def _answered(check: Check, words: Words) -> str:
    if check.answer is None:
        return check.detail
    answer = words("check_yes" if check.answer else "check_no")
    return words("check_told", answer=answer, detail=check.detail) if check.detail else answer


def checklist_latex(checks: Iterable[Check], words: Words) -> str:
    """Write the checklist as a table that may go over pages."""
    head = " & ".join(latex(words(key)) for key in ("check_question", "check_answer", "check_where"))
    column = r">{\raggedright\arraybackslash}p"
    lines = [
        rf"{prose_latex(check.question)} & {prose_latex(_answered(check, words))} & {prose_latex(check.where)} \\"
        for check in checks
    ]
    return "\n".join(
        [
            r"% needs \usepackage{array,booktabs,longtable}",
            r"{\footnotesize",
            rf"\begin{{longtable}}{{@{{}}{column}{{.22\linewidth}}{column}{{.5\linewidth}}{column}{{.2\linewidth}}@{{}}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *lines,
            r"\end{longtable}}",
            "",
        ]
    )


def checklist_markdown(checks: Iterable[Check], words: Words) -> str:
    """Write the checklist as a table of Markdown."""
    head = [markdown(words(key)) for key in ("check_question", "check_answer", "check_where")]
    rows = [[markdown(check.question), markdown(_answered(check, words)), markdown(check.where)] for check in checks]
    grid = markdown_grid(head, rows)
    grid[1] = grid[1].replace("--:", ":--")
    return "\n".join([f"### {markdown(words('paper_checklist'))}", "", *grid, ""])
