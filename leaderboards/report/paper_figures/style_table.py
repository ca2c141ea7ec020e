"""Means by visual style of the items, as a table for Markdown, LaTeX and spreadsheets."""

from pathlib import Path
from typing import Final, Literal

from pydantic import model_validator

from anisora.harness.runfolder import write_atomically
from anisora.leaderboards.latex_table import TexCell, TexRow, latex_float, latex_number, latex_tabular
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.paper_figures.figure_data import (
    Axis,
    FigureData,
    FigureWords,
    Number,
    Omission,
    Part,
    Parts,
    System,
    axis_of,
    systems_of,
)
from anisora.leaderboards.typeset import csv_text, markdown, markdown_grid, plain

__all__ = ["StyleCell", "StyleGroup", "StyleTable", "data_of", "save", "write_csv", "write_latex", "write_markdown"]

_MISSING: Final = "-"


class StyleCell(Part):
    """One system in one style by one column."""

    value: Number | None
    """In natural units; None where nothing was scored."""
    items: int
    """Items that entered."""


class StyleGroup(Part):
    """One style."""

    style: str
    heading: str
    """The style with its number of items, as it stands above them."""
    items: int
    """Of the suite."""
    cells: tuple[tuple[StyleCell, ...], ...]
    """(systems, columns)"""


class StyleTable(FigureData):
    """Styles downwards, in each the systems, by columns."""

    figure: Literal["styles"] = "styles"
    head: str
    """Above the systems."""
    systems: Parts[System]
    columns: Parts[Axis]
    groups: Parts[StyleGroup]

    @model_validator(mode="after")
    def _groups_are_whole(self) -> "StyleTable":
        for group in self.groups:
            if len(group.cells) != len(self.systems) or any(len(row) != len(self.columns) for row in group.cells):
                raise ValueError(f"expected {len(self.systems)} rows of {len(self.columns)} cells in every group")
        return self


def data_of(data: ReportData, say: FigureWords) -> StyleTable | Omission:
    """Return what the table of styles shows: the breakdown by style of the report."""
    found = next((breakdown for breakdown in data.breakdowns if breakdown.name == "style"), None)
    if found is None:
        return Omission(figure="styles", reason=say("styles_omitted"))
    systems = systems_of(data.table)
    groups = tuple(
        StyleGroup(
            style=plain(style),
            heading=say("styles_heading", style=plain(style), items=found.sizes[place]),
            items=found.sizes[place],
            cells=tuple(
                tuple(
                    StyleCell(value=metric.cells[place][row].value, items=metric.cells[place][row].items)
                    for metric in found.metrics
                )
                for row in range(len(data.table.rows))
            ),
        )
        for place, style in enumerate(found.groups)
    )
    return StyleTable(
        language=say.language,
        suite=data.table.suite_key,
        title=say("styles_title"),
        note=say("styles_note"),
        head=say("model"),
        systems=tuple(systems[row.run_id] for row in data.table.rows),
        columns=tuple(axis_of(metric.column) for metric in found.metrics),
        groups=groups,
    )


def _cell(group: StyleGroup, column: Axis, cell: StyleCell) -> str:
    if cell.value is None:
        return _MISSING
    return column.printed(cell.value) + (f" ({cell.items})" if cell.items != group.items else "")


def write_markdown(data: StyleTable) -> str:
    """Write the table in Markdown."""
    header = [markdown(data.head), *(markdown(column.label) for column in data.columns)]
    rows: list[list[str]] = []
    for group in data.groups:
        rows.append([f"**{markdown(group.heading)}**", *[""] * len(data.columns)])
        for system, cells in zip(data.systems, group.cells, strict=True):
            texts = [markdown(_cell(group, column, cell)) for column, cell in zip(data.columns, cells, strict=True)]
            rows.append([markdown(system.label), *texts])
    lines = [f"### {markdown(data.title)}", "", *markdown_grid(header, rows), "", markdown(data.note)]
    return "\n".join(lines) + "\n"


def write_latex(data: StyleTable) -> str:
    """Write the table in LaTeX, as wide as a line at most."""
    groups = []
    for group in data.groups:
        rows = [TexRow(group.heading)]
        for system, cells in zip(data.systems, group.cells, strict=True):
            texts = [_cell(group, column, cell) for column, cell in zip(data.columns, cells, strict=True)]
            rows.append(TexRow(system.label, tuple(TexCell(latex_number(text), len(text)) for text in texts)))
        groups.append(rows)
    heads = [data.head, *(column.label for column in data.columns)]
    return "\n".join(latex_float(f"{data.title}. {data.note}", latex_tabular(heads, groups), ())) + "\n"


def write_csv(data: StyleTable) -> str:
    """Write one line for each style, system and column, in natural units."""
    return csv_text(
        [
            {
                "style": group.style,
                "style_items": group.items,
                "system": system.label,
                "run_id": system.run_id,
                "metric": column.metric,
                "value": cell.value,
                "items": cell.items,
            }
            for group in data.groups
            for system, cells in zip(data.systems, group.cells, strict=True)
            for column, cell in zip(data.columns, cells, strict=True)
        ]
    )


def save(data: StyleTable, folder: Path, name: str) -> list[Path]:
    """Write the table in all three forms and return the files."""
    written = []
    for suffix, text in (("md", write_markdown(data)), ("tex", write_latex(data)), ("csv", write_csv(data))):
        path = folder / f"{name}.{suffix}"
        with write_atomically(path, "report") as file:
            file.write(text.encode())
        written.append(path)
    return written
