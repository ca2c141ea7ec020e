"""What the runs of a report have to cite, from ``references.yaml``: which entries, and each as BibTeX and as text."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field

from anisora.leaderboards.published.tables import PublishedTable
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.typeset import latex, prose_latex

__all__ = ["Citation", "Reference", "bibliography_text", "bibtex", "cited_by", "references", "source_reference"]

_OTHERS: Final = "others"
_ACCENTS: Final = {
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING CEDILLA}": "c",
}
_HARNESS: Final = "anisora-harness"
_MAX_T: Final = "max-T"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Subjects(_Strict):
    """What an entry is the source of."""

    metrics: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


class Reference(_Strict):
    """An entry of a bibliography, as plain text; braces in a name keep it together."""

    kind: Literal["article", "inproceedings", "book", "misc"]
    title: str
    authors: Annotated[tuple[str, ...], Field(min_length=1)]
    """``Given Family``; a last ``others`` is for those that are not named."""
    year: int | None = None
    journal: str | None = None
    booktitle: str | None = None
    publisher: str | None = None
    volume: str | None = None
    number: str | None = None
    pages: str | None = None
    arxiv: Annotated[str, Field(pattern=r"^\d{4}\.\d{4,5}$")] | None = None
    url: str | None = None
    note: str | None = None
    of: Subjects = Subjects()


@dataclass(frozen=True, slots=True)
class Citation:
    """An entry that is cited, and what for."""

    key: str
    reference: Reference
    subjects: tuple[str, ...]
    """Names of metrics, weights, suites and methods that the runs used."""


@cache
def references() -> Mapping[str, Reference]:
    """Return {key: entry} of everything that may be cited."""
    import anisora

    text = files("anisora.leaderboards.report.paper").joinpath("references.yaml").read_text(encoding="utf-8")
    loaded = {key: Reference.model_validate(entry) for key, entry in yaml.safe_load(text).items()}
    return {
        key: entry.model_copy(update={"note": entry.note and entry.note.format(version=anisora.__version__)})
        for key, entry in loaded.items()
    }


def cited_by(data: ReportData) -> tuple[Citation, ...]:
    """Return what the runs of a report have to cite: for the suite, the columns shown, the weights and the statistics.

    Args:
        data: The report; only what its records and its table hold counts.
    """
    cells = [cell for row in data.table.rows for cell in row.cells]
    datasets = {data.suite.dataset} if data.suite is not None and data.suite.dataset else set()
    used = Subjects(
        metrics=tuple(column.metric for column in data.table.columns if column.direction is not None),
        weights=tuple(sorted({name for record in data.records.values() for name in record.weights})),
        suites=tuple(sorted({record.spec.suite for record in data.records.values()} | datasets)),
        methods=(
            _HARNESS,
            *sorted({cell.interval for cell in cells if cell.low is not None}),
            *([_MAX_T] if any(cell.rank_low is not None for cell in cells) else []),
        ),
    )
    found = []
    for key, entry in references().items():
        subjects = [
            name for kind in Subjects.model_fields for name in getattr(used, kind) if name in getattr(entry.of, kind)
        ]
        if subjects:
            found.append(Citation(key, entry, tuple(dict.fromkeys(subjects))))
    return tuple(found)


def source_reference(table: PublishedTable) -> Citation:
    """Return the entry of where a published table was read."""
    source = table.source
    owner = urlsplit(source.url).path.strip("/").partition("/")[0]
    entry = Reference(
        kind="misc",
        title=source.title,
        authors=(f"{{{owner or source.title}}}",),
        year=source.date.year,
        url=source.url,
    )
    return Citation(f"source-{table.suite}", entry, (table.suite,))


def bibtex(citations: Iterable[Citation]) -> str:
    """Write entries as BibTeX."""
    return "\n".join(_entry(citation) for citation in citations)


def _entry(citation: Citation) -> str:
    entry = citation.reference
    fields = {
        "title": f"{{{_tex(entry.title)}}}",  # in braces of its own, so that no style makes its capitals small
        "author": " and ".join(_tex(name, keep_braces=True) for name in entry.authors),
        "journal": _tex(entry.journal or (f"arXiv preprint arXiv:{entry.arxiv}" if entry.kind == "article" else "")),
        "booktitle": _tex(entry.booktitle or ""),
        "publisher": _tex(entry.publisher or ""),
        "volume": entry.volume,
        "number": entry.number,
        "pages": (entry.pages or "").replace("\N{EN DASH}", "--"),
        "year": entry.year,
        "eprint": entry.arxiv,
        "archiveprefix": "arXiv" if entry.arxiv else None,
        "url": entry.url,
        "note": _tex(entry.note or ""),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{entry.kind}{{{citation.key},", *lines, "}", ""])


def _tex(text: str, *, keep_braces: bool = False) -> str:
    """Escape a text with its accents as commands, which every version of BibTeX reads and sorts."""
    made = []
    for char in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", char)
        if len(parts) == 2 and parts[1] in _ACCENTS:
            made.append(rf"{{\{_ACCENTS[parts[1]]}{{{parts[0]}}}}}")
        elif keep_braces and char in "{}":
            made.append(char)
        else:
            made.append(latex(char))
    return "".join(made)


def bibliography_text(citations: Iterable[Citation], *, as_latex: bool) -> list[str]:
    """Return one line an entry: authors, title, where it appeared.

    Args:
        citations: The entries.
        as_latex: Whether to escape for LaTeX; plain text otherwise.
    """
    return [_line(citation.reference, as_latex=as_latex) for citation in citations]


def _line(entry: Reference, *, as_latex: bool) -> str:
    write = _tex if as_latex else str
    names = [re.sub(r"[{}]", "", name) for name in entry.authors if name != _OTHERS]
    people = ", ".join(names) + (" and others" if _OTHERS in entry.authors else "")
    numbered = f"{entry.volume}({entry.number})" if entry.number else entry.volume
    preprint = f"arXiv:{entry.arxiv}" if entry.arxiv else None
    where = (entry.journal or entry.booktitle or entry.publisher, numbered, entry.pages, preprint, entry.note)
    told = [write(part) for part in where if part]
    if entry.url:
        told.append(prose_latex(entry.url) if as_latex else entry.url)
    told += [str(entry.year)] if entry.year else []
    parts = (write(people), write(entry.title), ", ".join(told))
    return " ".join(part if part.endswith("?") else f"{part}." for part in parts if part)
