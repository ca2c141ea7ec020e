"""Writes the pack of a paper into a folder: table, protocol, checklist, references, and a document that holds them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.runfolder import write_atomically
from anisora.leaderboards.cell_text import Intervals
from anisora.leaderboards.latex_table import PACKAGES, latex_notes
from anisora.leaderboards.published.rendering import published_float
from anisora.leaderboards.published.tables import PublishedTable
from anisora.leaderboards.render import render
from anisora.leaderboards.render_latex import leaderboard_notes, leaderboard_tabular
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.paper.checklist import checklist
from anisora.leaderboards.report.paper.document import (
    PaperFigure,
    bibliography_latex,
    checklist_latex,
    checklist_markdown,
    paper_latex,
    protocol_latex,
    protocol_markdown,
)
from anisora.leaderboards.report.paper.references import bibtex, cited_by, source_reference
from anisora.leaderboards.words import Words

__all__ = ["PAPER", "write_paper"]

PAPER: Final = "paper.tex"


def write_paper(
    data: ReportData,
    folder: Path,
    *,
    language: str = "en",
    intervals: Intervals = "half-width",
    published: PublishedTable | None = None,
    figures: Sequence[PaperFigure] = (),
) -> Path:
    """Write a paper pack and return its document.

    ``paper.tex`` compiles by itself, English with pdfLaTeX or XeLaTeX, Chinese with XeLaTeX. The files that it reads
    can be read by another document: ``table.tex`` and ``table_notes.tex``, ``protocol.tex``, ``checklist.tex``,
    ``references.bib``, and ``published.tex`` where there are reported rows. Table, protocol and checklist are there as
    Markdown, and the table as CSV, too. Nothing of it needs TeX to be written.

    Args:
        data: What it tells.
        folder: Made if it is not there; files of an earlier pack are replaced.
        language: ``en`` or ``zh``, that of ``data``.
        intervals: How the tables print intervals.
        published: Rows that others report, as a table of their own.
        figures: Shown behind the table, in their order; their files lie below ``folder``.

    Raises:
        ConfigError: The language is not known.
        DataError: The folder cannot be written.
    """
    words = Words(language)
    checks, citations = checklist(data, words), cited_by(data)
    if published is not None:
        citations = (*citations, source_reference(published))
    texts = {
        "table.tex": _lines(PACKAGES, *leaderboard_tabular(data.table, words, intervals)),
        "table_notes.tex": _lines(*latex_notes([*leaderboard_notes(data.table, words, intervals), *data.notes])),
        "protocol.tex": protocol_latex(data, words, citations),
        "checklist.tex": checklist_latex(checks, words),
        "paper.bbl": bibliography_latex(citations),
        **({} if published is None else {"published.tex": _lines(*published_float(published, words))}),
    }
    paper = paper_latex(
        data,
        words,
        figures=[(figure.path.relative_to(folder).as_posix(), figure.caption) for figure in figures],
        published=published is not None,
        characters="".join(texts.values()),
    )
    texts |= {
        PAPER: paper,
        "references.bib": bibtex(citations),
        "table.md": render(data.table, "markdown", intervals=intervals, underline_second=True, language=language),
        "table.csv": render(data.table, "csv"),
        "protocol.md": protocol_markdown(data, words, citations),
        "checklist.md": checklist_markdown(checks, words),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with write_atomically(folder / name, "report") as file:
                file.write(text.encode())
    except OSError as error:
        raise DataError(
            f"The report cannot be written to `{folder}`: {error.strerror or error}; choose another folder with --out."
        ) from error
    return folder / PAPER


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
