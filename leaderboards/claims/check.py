"""Check what a file claims: read it, find which suites its tables show, compare."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.paths import missing_path, unreadable_path
from anisora.leaderboards.claims.checks import bold_findings, doubled_rows, number_findings, strangers
from anisora.leaderboards.claims.csv_reader import read_csv
from anisora.leaderboards.claims.document import Document
from anisora.leaderboards.claims.expected import ExpectedTable
from anisora.leaderboards.claims.findings import CheckedTable, Finding, Report
from anisora.leaderboards.claims.latex_reader import read_latex
from anisora.leaderboards.claims.markdown_reader import read_markdown
from anisora.leaderboards.claims.matching import MatchedTable, match_table
from anisora.leaderboards.claims.orders import order_findings
from anisora.leaderboards.claims.printed import read_number
from anisora.leaderboards.claims.prose import claims_in

__all__ = ["SUFFIXES", "check_claims", "check_document", "parsed", "read_document"]

SUFFIXES: Final = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "markdown",
    ".htm": "markdown",
    ".tex": "latex",
    ".csv": "csv",
    ".tsv": "csv",
}
_LARGEST: Final = 16 * 2**20
"""Bytes of a file; pages and papers are far smaller."""


def read_document(path: Path) -> Document:
    """Read the tables and sentences of a file; its suffix says in which format.

    Raises:
        ConfigError: The suffix is not one of SUFFIXES.
        DataError: It is not there, cannot be read, or is no text of its format.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if not path.is_file():
        raise missing_path(path, "a Markdown, LaTeX or CSV file")
    if form is None:
        raise ConfigError(
            f"`{path}` has the suffix {path.suffix!r}; expected one of {', '.join(SUFFIXES)}; rename the file."
        )
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise unreadable_path(path, error) from error
    if len(content) > _LARGEST:
        raise DataError(
            f"`{path}` is larger than {_LARGEST // 2**20} MiB; expected a page or a paper; cut it into parts."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"`{path}` is no UTF-8 text (byte {error.start}); expected a {form} file; save it as UTF-8."
        ) from error
    if "\0" in text:
        raise DataError(f"`{path}` is no text (it has zero bytes); expected a {form} file; name another file.")
    return parsed(text, str(path))


def parsed(text: str, name: str) -> Document:
    """Return the tables and sentences of a text.

    Args:
        text: Of the whole file.
        name: Of the file; its suffix is one of SUFFIXES.

    Raises:
        DataError: A CSV file is no table.
    """
    form = SUFFIXES[Path(name).suffix.lower()]
    if form == "markdown":
        return read_markdown(text)
    return read_latex(text) if form == "latex" else read_csv(text, name)


def check_claims(path: Path, known: Sequence[ExpectedTable], left_out: Sequence[str] = ()) -> Report:
    """Check a file.

    Args:
        path: The file.
        known: What its tables may show, from ``sources.known_tables``.
        left_out: Why parts of a leaderboard are not among it.

    Raises:
        ConfigError: The suffix of the file is not known.
        DataError: It cannot be read.
    """
    report = check_document(read_document(path), known, str(path))
    suites = [Finding(kind="suite", message=message) for message in left_out]
    return Report(
        file=report.file,
        tables=report.tables,
        found=report.found,
        flagged=report.flagged,
        unchecked=(*report.unchecked, *suites),
    )


def check_document(document: Document, known: Sequence[ExpectedTable], file: str = "") -> Report:
    """Check what was read of a file.

    Args:
        document: Its tables and sentences.
        known: What its tables may show.
        file: Its name, for the report.
    """
    checked, flagged, unchecked = [], [], []
    for table in document.tables:
        matches = match_table(table, known)
        if not matches:
            if any(read_number(cell.text) for row in table.rows for cell in row.cells):
                message = "No suite is known that has columns and systems of these names; the table is not checked."
                unchecked.append(Finding(kind="table", table=table.label, message=message, line=table.line))
            continue
        # Sources that agree with the same cells may differ in what they call best.
        results = [(match, *_findings(match)) for match in matches]
        match, wrong, listed = min(results, key=lambda result: len(result[1]))
        checked.append(
            CheckedTable(
                table=match.table.label,
                suite=match.expected.suite,
                origin=match.expected.origin,
                cells=match.agreement[1],
            )
        )
        flagged += wrong
        unchecked += listed
    unchecked += claims_in(document.sentences)
    return Report(
        file=file, tables=tuple(checked), found=len(document.tables), flagged=tuple(flagged), unchecked=tuple(unchecked)
    )


def _findings(match: MatchedTable) -> tuple[list[Finding], list[Finding]]:
    """Return (what is flagged, what is only listed), each from top to bottom."""
    told = [*number_findings(match), *order_findings(match)]
    flagged = [*doubled_rows(match), *(found for is_flagged, found in told if is_flagged), *bold_findings(match)]
    listed = [*(found for is_flagged, found in told if not is_flagged), *strangers(match)]
    return sorted(flagged, key=lambda found: found.line), sorted(listed, key=lambda found: found.line)
