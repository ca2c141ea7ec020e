"""What all pages share: how templates are read, the script that sorts tables, and the cell of a board."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from anisora.leaderboards.table import Cell, Row, TableColumn
from anisora.leaderboards.words import Words

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["board_cell", "page_script", "page_template", "part"]

_SHARED: Final = "anisora.leaderboards"


def part(name: str, folder: str = "") -> str:
    """Return a file that pages are made of.

    Args:
        name: Of the file.
        folder: Of the page: ``report`` or ``site``; that of all pages when left out.
    """
    return files(f"{_SHARED}.{folder}" if folder else _SHARED).joinpath(name).read_text(encoding="utf-8")


@cache
def page_template(folder: str, name: str) -> "Template":
    """Return a template of a page's folder, which may include those of all pages; it escapes all values."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(wanted: str) -> str:
        return part(wanted, "" if files(_SHARED).joinpath(wanted).is_file() else folder)

    environment = Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)


@cache
def page_script() -> tuple[str, str]:
    """Return the one script that pages run and its SHA-256 in Base64, by which a page allows it and no other."""
    script = part("page.js")
    return script, base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def board_cell(row: Row, column: TableColumn, cell: Cell, words: Words) -> dict[str, Any]:
    """Return what ``cell.html.j2`` shows of a cell; its coverage is told at once where it is not that of its row."""
    interval = ""
    if cell.value is not None and cell.low is not None and cell.high is not None:
        interval = f"[{column.format(cell.low)}, {column.format(cell.high)}]"
    covered = words("covered", scored=cell.scored, items=cell.items, clusters=cell.clusters)
    return {
        "key": "" if cell.value is None else repr(cell.value * column.scale),
        "text": None if cell.value is None else column.format(cell.value),
        "best": cell.best,
        "tied": cell.tied,
        "star": cell.above_reference,
        "bar": None,
        "truth": None,
        "range": interval,
        "note": words("no_interval", note=cell.note) if cell.value is not None else cell.note,
        "covered": covered,
        "own_coverage": cell.value is not None and cell.coverage != row.coverage,
    }
