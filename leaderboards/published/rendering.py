"""Published tables, and their agreement with people, as text, Markdown, LaTeX, CSV and JSON."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal

from anisora.harness.errors import ConfigError
from anisora.leaderboards.footnotes import STAR
from anisora.leaderboards.latex_table import (
    MISSING_CELL,
    TexCell,
    TexRow,
    latex_float,
    latex_tabular,
    number_cell,
)
from anisora.leaderboards.published.agreement import ColumnAgreement, PeopleAgreement, finding
from anisora.leaderboards.published.tables import MISSING, PublishedRow, PublishedTable
from anisora.leaderboards.render import STYLES, Style
from anisora.leaderboards.typeset import csv_text, markdown, markdown_grid, text_grid
from anisora.leaderboards.words import Words

__all__ = ["footnotes_of_published", "published_float", "render_agreement", "render_published"]

_ARROWS: Final = {"higher": "↑", "lower": "↓"}


def render_published(table: PublishedTable, style: Style = "text", *, brief: bool = False) -> str:
    """Write a published table in the order of its source.

    Numbers are as printed there. What is best is computed, ground truth apart, whatever the source prints in bold. CSV
    has one line per row and column; an empty value is one that the source does not have.

    Args:
        table: What others report.
        style: One of ``render.STYLES``.
        brief: Leave the notes out of a text; they belong to a table that somebody relies on.

    Raises:
        ConfigError: The style is not one of ``render.STYLES``.
    """
    writers: dict[str, Callable[[PublishedTable], str]] = {
        "text": partial(_text, brief=brief),
        "markdown": _markdown,
        "latex": _latex,
        "csv": lambda it: csv_text(_tidy(it)),
        "json": _json,
    }
    if style not in writers:
        raise ConfigError(f"`--format` got {style!r}; expected one of {', '.join(STYLES)}.")
    return writers[style](table)


def footnotes_of_published(table: PublishedTable) -> tuple[str, ...]:
    """Return what must be said beside a published table and its source: marks, where that differs, and notes."""
    headers = {column.metric: column.header for column in table.columns}
    notes = []
    if any(row.text(at) == MISSING for row in table.rows for at in range(len(headers))):
        notes.append(f"{MISSING!r}: the source has no number.")
    above = sorted(
        ((count, headers[metric]) for metric, count in table.above_reference().items()), key=lambda it: -it[0]
    )
    counts = ", ".join(f"{header} {count}" for count, header in above if count)
    if counts:
        notes.append(f"{STAR} better than the ground truth. Of {len(table.generated)} rows: {counts}.")
    for model, metric in table.bold_differences():
        row, at = table.row(model), table.metrics.index(metric)
        told = "prints" if row.is_bold(at) else "does not print"
        notes.append(f"The source {told} {headers[metric]} of {model} ({row.text(at)}) in bold; bold here is computed.")
    for row in table.rows:
        if row.times_printed > 1:
            times = {2: "twice"}.get(row.times_printed, f"{row.times_printed} times")
            notes.append(f"The source prints the row of {row.model} {times}; it stands here once.")
    return (*notes, *table.notes)


def _source(table: PublishedTable) -> str:
    return f"Source: {table.source.title}, {table.source.date}, {table.source.url}"


def _title(table: PublishedTable) -> str:
    return f"{table.title} ({table.suite}; {table.status})"


def _groups(table: PublishedTable) -> list[list[PublishedRow]]:
    return [list(table.generated), [row for row in table.rows if row.reference]]


def _number(table: PublishedTable, row: PublishedRow, at: int) -> str:
    return row.text(at) + (STAR if table.is_above_reference(row, at) else "")


def _text(table: PublishedTable, *, brief: bool = False) -> str:
    def cells(row: PublishedRow) -> list[str]:
        return [row.model, *("*" * table.is_best(row, at) + _number(table, row, at) for at in range(len(row.cells)))]

    # The last word of a header stands on a line of its own, which keeps eight columns as narrow as their numbers allow.
    words = [(*column.header.rpartition(" ")[::2], _ARROWS[column.direction]) for column in table.columns]
    upper = ["", *(first for first, _, _ in words)]
    lower = ["Model", *(f"{last} {arrow}" for _, last, arrow in words)]
    grid = text_grid(upper, [[lower], *([cells(row) for row in group] for group in _groups(table))])
    del grid[1]  # no rule between the two lines of the header
    if brief:
        return _lines(_title(table), "", *grid)
    return _lines(_title(table), "", *grid, "", "* best in its column.", *footnotes_of_published(table), _source(table))


def _header(table: PublishedTable, escape: Callable[[str], str]) -> list[str]:
    return ["Model", *(escape(f"{column.header} {_ARROWS[column.direction]}") for column in table.columns)]


def _markdown(table: PublishedTable) -> str:
    def cells(row: PublishedRow) -> list[str]:
        numbers = [markdown(_number(table, row, at)) for at in range(len(row.cells))]
        name = markdown(row.model)
        bold = [f"**{number}**" if table.is_best(row, at) else number for at, number in enumerate(numbers)]
        return [f"*{name}*" if row.reference else name, *bold]

    header = _header(table, markdown)
    generated, truth = ([cells(row) for row in group] for group in _groups(table))
    # Markdown knows no rule inside a table: an empty row stands between the systems and the ground truth.
    grid = markdown_grid(header, [*generated, *([[""] * len(header)] if truth else []), *truth])
    notes = [f"- {markdown(note)}" for note in footnotes_of_published(table)]
    source = f"- Source: [{markdown(table.source.title)}]({table.source.url}), {table.source.date}"
    return _lines(f"### {markdown(_title(table))}", "", *grid, "", *notes, source)


def _latex(table: PublishedTable) -> str:
    return _lines(*published_float(table, Words("en")))


def published_float(table: PublishedTable, words: Words) -> list[str]:
    """Return the lines of a LaTeX float with a published table: the table, what it is and where it comes from.

    Args:
        table: What others report.
        words: The language of title, heads and marks; notes about the source are in English.
    """
    chinese = words.language == "zh"
    heads = [
        f"{column.header_zh if chinese else column.header} {_ARROWS[column.direction]}" for column in table.columns
    ]
    groups = [
        [TexRow(row.model, tuple(_tex_cell(table, row, at) for at in range(len(heads)))) for row in group]
        for group in _groups(table)
    ]
    title = f"{table.title_zh if chinese else table.title} ({table.suite}; {words('footnote_reported')})"
    notes = [words("footnote_best"), words("footnote_second"), *footnotes_of_published(table), _source(table)]
    return latex_float(title, latex_tabular([words("head_model"), *heads], groups), notes)


def _tex_cell(table: PublishedTable, row: PublishedRow, at: int) -> TexCell:
    if row.text(at) == MISSING:
        return MISSING_CELL
    marks = STAR * table.is_above_reference(row, at)
    return number_cell(row.text(at), marks=marks, best=table.is_best(row, at), second=table.is_second(row, at))


def _tidy(table: PublishedTable) -> list[dict[str, Any]]:
    return [
        {"suite": table.suite, "status": table.status, "model": row.model, "reference": row.reference, **cell}
        for row in table.rows
        for cell in _cells(table, row)
    ]


def _cells(table: PublishedTable, row: PublishedRow) -> list[dict[str, Any]]:
    return [
        {
            "metric": column.metric,
            "header": column.header,
            "direction": column.direction,
            "printed": None if row.text(at) == MISSING else row.text(at),
            "value": row.value(at),
            "best": table.is_best(row, at),
            "second": table.is_second(row, at),
            "above_reference": table.is_above_reference(row, at),
            "bold_in_source": row.is_bold(at),
        }
        for at, column in enumerate(table.columns)
    ]


def _json(table: PublishedTable) -> str:
    content = table.model_dump(mode="json")
    for told, row in zip(content["rows"], table.rows, strict=True):
        told["cells"] = _cells(table, row)
    content |= {"above_reference": table.above_reference(), "footnotes": footnotes_of_published(table)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def render_agreement(agreement: PeopleAgreement, style: Literal["text", "markdown"] = "text") -> str:
    """Write how far the columns of published tables agree with people, the means of the tables last.

    Raises:
        ConfigError: The style is neither ``text`` nor ``markdown``.
    """
    if style not in ("text", "markdown"):
        raise ConfigError(f"`style` got {style!r}; expected 'text' or 'markdown'.")
    header = ["Column", "Table", "rho", "p", "p (Holm)", "tau", "Pairs"]
    groups = [[_agreement_row(it) for it in agreement.columns if it.suite == table.suite] for table in agreement.tables]
    groups.append([_agreement_row(it) for it in agreement.means])
    title = "Agreement of the published columns with people"
    notes = _agreement_notes(agreement)
    if style == "text":
        return _lines(title, "", *text_grid(header, groups), "", *notes)
    grid = markdown_grid(header, [[markdown(cell) for cell in row] for group in groups for row in group])
    return _lines(f"### {title}", "", *grid, "", *(f"- {markdown(note)}" for note in notes))


def _agreement_row(column: ColumnAgreement) -> list[str]:
    def number(value: float | None, decimals: int) -> str:
        return MISSING if value is None else f"{value:.{decimals}f}"

    return [
        column.header,
        column.suite,
        number(column.spearman.value, 2),
        number(column.spearman.p_value, 4),
        number(column.corrected_p, 4),
        number(column.kendall.value, 2),
        number(column.accuracy.without_ties, 2),
    ]


def _agreement_notes(agreement: PeopleAgreement) -> Sequence[str]:
    first = agreement.columns[0]
    return (
        *(finding(agreement, table.suite) for table in agreement.tables),
        f"The {len(agreement.systems)} systems are those with a human score: {', '.join(agreement.systems)}.",
        f"rho: Spearman's rank correlation with the human score, p: of it, two-sided, {first.spearman.method}. With so "
        f"few systems no p can be below {agreement.smallest_p:.4f}.",
        f"p (Holm): corrected for {len(agreement.columns)} columns.",
        f"tau: Kendall's tau-b. Pairs: share of the {first.accuracy.pairs} pairs of systems in the order of people.",
    )


def _lines(*lines: str) -> str:
    return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"
