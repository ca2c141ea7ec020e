"""What the demo prints: the table with its intervals, what each damage does to each column, and what follows."""

from pathlib import Path
from typing import Final

from anisora.leaderboards.cell_text import interval_text
from anisora.leaderboards.demo import DemoResult
from anisora.leaderboards.effects import Effect, EffectMatrix
from anisora.leaderboards.footnotes import STAR, TIED
from anisora.leaderboards.published.agreement import agreement_with_people, finding
from anisora.leaderboards.published.rendering import render_published
from anisora.leaderboards.published.tables import published_tables
from anisora.leaderboards.table import LeaderboardTable, Row
from anisora.leaderboards.typeset import text_grid

__all__ = ["FROZEN", "demo_screen", "frozen_sentence", "matrix_text", "table_text"]

FROZEN: Final = "damage/freeze:severity=1"
"""The system of the sentence: a clip in which nothing moves."""

_PUBLISHED: Final = "anisora leaderboard vbench-i2v-8 --published"
_MARKS: Final = {"worse": "-", "better": "+", "alike": ".", "unknown": ""}


def demo_screen(result: DemoResult, page: Path) -> str:
    """Return everything the demo says, last the command for one's own clips.

    Args:
        result: What the demo made.
        page: The report.
    """
    parts = [
        table_text(result.table),
        matrix_text(result.matrix),
        frozen_sentence(result.matrix, FROZEN),
        *(render_published(table, brief=True) for table in published_tables()),
        f"* best in its column. {STAR} better than the ground truth. Notes and sources: {_PUBLISHED}",
        finding(agreement_with_people()),
        *_absences(result),
        f"{result.decodes} decodes in this session. The report: {page}. Runs and leaderboard: {page.parent}.",
        "Score your own clips: anisora evaluate custom --videos my_clips/",
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts)


def table_text(table: LeaderboardTable) -> str:
    """Write a table with two lines a system: values, and below each its interval."""
    header = ["", *(f"{column.header} {column.arrow}".rstrip() for column in table.columns), "Items"]

    def lines(row: Row) -> list[list[str]]:
        name, settings = table.name_and_settings(row)
        values, intervals = [name], [f"  {settings}" if settings else ""]
        for column, cell in zip(table.columns, row.cells, strict=True):
            mark = f"{TIED * cell.tied}{STAR * cell.above_reference}".ljust(2)
            values.append("" if cell.value is None else column.format(cell.value) + mark)
            own = "" if cell.value is None or cell.coverage == row.coverage else f" {cell.scored}/{cell.items}"
            intervals.append(f"{interval_text(column, cell)}{own}  ".lstrip(" "))
        scored, items, clusters = row.coverage
        return [[*values, f"{scored}/{items}"], [*intervals, f"in {clusters}"]]

    generated = [line for row in table.rows if not row.reference for line in lines(row)]
    truth = [line for row in table.rows if row.reference for line in lines(row)]
    return "\n".join([table.title, "", *text_grid(header, [generated, truth]), "", *table.footnotes])


def matrix_text(matrix: EffectMatrix) -> str:
    """Write the matrix of damages and columns with what was expected of it."""
    header = ["", *(column.header for column in matrix.columns)]
    rows = [[f"{row.model}{row.warnings}", *(_mark(effect) for effect in row.effects)] for row in matrix.rows]
    held = len(matrix.expected) - len(matrix.unmet)
    lines = [
        "Against the ground truth, item by item: - worse, + better, . no difference (95 % interval holds 0).",
        "",
        *text_grid(header, [rows]),
        "",
        f"[ ] expected before anything was scored: {held} of {len(matrix.expected)} hold.",
        *(f"! {model} is not worse by {metric}, as was expected." for model, metric in matrix.unmet),
    ]
    return "\n".join(lines)


def _mark(effect: Effect) -> str:
    mark = _MARKS[effect.verdict]
    if not effect.expected:
        return f"{mark} " if mark else ""
    return f"[{mark}]" if effect.held else f"[{mark or ' '}]!"


def frozen_sentence(matrix: EffectMatrix, model: str) -> str:
    """Say how many columns prefer a frozen clip to the real one."""
    if all(row.model != model for row in matrix.rows):
        return "No system that freezes the clip was scored."
    preferring, able = matrix.preferring(model)
    names = f" ({', '.join(column.header for column in preferring)})" if preferring else ""
    return f"{len(preferring)} of {len(able)} columns prefer the frozen clip to the real one{names}."


def _absences(result: DemoResult) -> list[str]:
    headers = {column.metric: column.header for column in result.suite.columns}
    lines = [f"Column {headers[metric]} ({metric}) is absent: {reason}." for metric, reason in result.absent.items()]
    if lines:
        lines.append('The group "local" brings them: pip install -c constraints.txt -e ".[local]"')
    lines += result.notes
    return ["\n".join(lines)] if lines else []
