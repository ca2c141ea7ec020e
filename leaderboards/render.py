"""Tables and comparisons as text, Markdown, LaTeX, CSV and JSON: pure functions of the values."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, get_args

from anisora.harness.errors import ConfigError
from anisora.harness.statistics.clustered_mean import Estimate
from anisora.leaderboards.cell_text import (
    MISSING,
    Intervals,
    coverage_cells,
    footnotes_with,
    interval_text,
    marked_number,
    own_coverage,
    table_heads,
)
from anisora.leaderboards.comparability import shortened
from anisora.leaderboards.compare import Comparison, MetricComparison
from anisora.leaderboards.render_latex import leaderboard_float
from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn, tidy_rows
from anisora.leaderboards.typeset import csv_text, markdown, markdown_grid, text_grid
from anisora.leaderboards.words import Words

__all__ = ["EXTRAPOLATED", "STYLES", "Style", "render", "render_comparison"]

Style = Literal["text", "markdown", "latex", "csv", "json"]
STYLES: Final[tuple[str, ...]] = get_args(Style)

EXTRAPOLATED: Final = "?"
"""Marks a difference at equal motion where all items differ in motion to one side."""


def render(
    table: LeaderboardTable,
    style: Style = "text",
    *,
    intervals: Intervals = "brackets",
    underline_second: bool = False,
    language: str = "en",
) -> str:
    """Write a table.

    Text, Markdown and LaTeX have one row a run, with printed values; CSV has one line per run and metric and
    JSON everything, both in natural units.

    Args:
        table: The leaderboard.
        style: One of STYLES.
        intervals: How text, Markdown and LaTeX print intervals.
        underline_second: Whether Markdown underlines the second best of each column; LaTeX does, CSV and JSON say it.
        language: Of heads, which is that of the table's footnotes.

    Raises:
        ConfigError: The style is not one of STYLES, or the language is not known.
    """
    words = Words(language)
    writers: dict[str, Callable[[], str]] = {
        "text": lambda: _text(table, words, intervals),
        "markdown": lambda: _markdown(table, words, intervals, underline_second=underline_second),
        "latex": lambda: _lines(*leaderboard_float(table, words, intervals)),
        "json": lambda: _json(table),
        "csv": lambda: csv_text(tidy_rows(table)),
    }
    if style not in writers:
        raise ConfigError(f"`--format` got {style!r}; expected one of {', '.join(STYLES)}.")
    return writers[style]()


def _beside(row: Row, column: TableColumn, cell: Cell, intervals: Intervals) -> str:
    """Return the small print of a cell: its interval, and its coverage where that is not as in the row."""
    return " ".join(filter(None, (interval_text(column, cell, intervals), own_coverage(row, cell))))


def _notes(table: LeaderboardTable, words: Words, intervals: Intervals) -> list[str]:
    own = any(own_coverage(row, cell) for row in table.rows for cell in row.cells)
    return [*([words("footnote_coverage_mark")] if own else []), *footnotes_with(table, intervals, words)]


def _text(table: LeaderboardTable, words: Words, intervals: Intervals) -> str:
    def cells(row: Row) -> list[str]:
        made = [
            " ".join(
                filter(None, ("*" * cell.best + marked_number(column, cell), _beside(row, column, cell, intervals)))
            )
            for column, cell in zip(table.columns, row.cells, strict=True)
        ]
        return [table.name(row), *made, *coverage_cells(row)]

    groups = [[cells(row) for row in group] for group in table.groups]
    best = ["* best in its column."] if any(cell.best for row in table.rows for cell in row.cells) else []
    grid = text_grid(table_heads(table, words), groups)
    return _lines(table.title, "", *grid, "", *best, *_notes(table, words, intervals))


def _markdown(table: LeaderboardTable, words: Words, intervals: Intervals, *, underline_second: bool) -> str:
    def cells(row: Row) -> list[str]:
        made = []
        for column, cell in zip(table.columns, row.cells, strict=True):
            number = markdown(marked_number(column, cell))
            number = f"**{number}**" if cell.best else number
            number = f"<ins>{number}</ins>" if cell.second and underline_second else number
            small = _beside(row, column, cell, intervals)
            made.append(f"{number} <sub>{markdown(small)}</sub>" if small else number)
        name = markdown(table.name(row))
        return [f"*{name}*" if row.reference else name, *made, *coverage_cells(row)]

    # Markdown knows no rule inside a table: an empty row stands between the systems and what is apart from them.
    header = [markdown(cell) for cell in table_heads(table, words)]
    lines: list[list[str]] = []
    for group in table.groups:
        lines += [[""] * len(header)] if lines else []
        lines += [cells(row) for row in group]
    seconds = underline_second and any(cell.second for row in table.rows for cell in row.cells)
    notes = [*([words("footnote_second")] if seconds else []), *_notes(table, words, intervals)]
    grid = markdown_grid(header, lines)
    return _lines(f"### {markdown(table.title)}", "", *grid, "", *(f"- {markdown(note)}" for note in notes))


def _json(table: LeaderboardTable) -> str:
    content = {
        "title": table.title,
        "suite": table.suite_key,
        "columns": [dataclasses.asdict(column) for column in table.columns],
        "rows": [_json_row(table, row) for row in table.rows],
        "daggers": [{"field": field, "mark": mark} for field, mark in table.daggers],
        "footnotes": table.footnotes,
    }
    return _dumped(content)


def _json_row(table: LeaderboardTable, row: Row) -> dict[str, Any]:
    printed = [
        {**dataclasses.asdict(cell), "printed": MISSING if cell.value is None else column.format(cell.value)}
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]
    return {**dataclasses.asdict(row), "marks": table.marks(row), "cells": printed}


def render_comparison(comparison: Comparison, style: Style = "text") -> str:
    """Write a comparison as text, Markdown, CSV or JSON.

    Raises:
        ConfigError: There is no such style for comparisons.
    """
    writers: dict[str, Callable[[Comparison], str]] = {
        "text": _comparison_text,
        "markdown": _comparison_markdown,
        "json": _comparison_json,
        "csv": lambda it: csv_text([_tidy_metric(it, metric) for metric in it.metrics]),
    }
    if style not in writers:
        raise ConfigError(f"`--format` got {style!r}; expected one of {', '.join(writers)} for a comparison.")
    return writers[style](comparison)


def _comparison_header(comparison: Comparison) -> list[str]:
    return [
        "Metric",
        comparison.left,
        comparison.right,
        "Difference",
        f"{100 * comparison.level:g} % interval",
        "Detectable",
        "p (max-T)",
        *([f"At equal {comparison.motion}"] if comparison.motion else []),
        "Better/worse/equal",
        "Items",
        "Verdict",
    ]


def _comparison_row(comparison: Comparison, metric: MetricComparison) -> list[str]:
    column, found = metric.column, metric.difference
    estimate = found.estimate

    def number(value: float | None) -> str:
        return MISSING if value is None else column.format(value)

    def interval(of: Estimate) -> str:
        return "" if of.low is None or of.high is None else f"[{column.format(of.low)}, {column.format(of.high)}]"

    matched = MISSING
    if metric.at_equal_motion is not None:
        equal = metric.at_equal_motion.at_equal_motion
        mark = EXTRAPOLATED if metric.at_equal_motion.is_extrapolated else ""
        matched = " ".join(filter(None, (number(equal.value) + mark, interval(equal))))
    items = f"{found.items}"
    if found.only_left or found.only_right:
        items += f" (+{found.only_left}/{found.only_right})"
    return [
        f"{column.header} {column.arrow}".rstrip(),
        number(metric.left),
        number(metric.right),
        number(estimate.value),
        interval(estimate) or MISSING,
        number(metric.power.minimum_detectable_effect),
        _p_text(metric.corrected_p),
        *([matched] if comparison.motion else []),
        f"{metric.wins}/{metric.losses}/{found.ties}",
        items,
        metric.verdict,
    ]


def _p_text(value: float | None) -> str:
    if value is None:
        return MISSING
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _comparison_notes(comparison: Comparison) -> list[str]:
    metrics = comparison.metrics
    notes = [
        "Difference: left minus right over the items that both scored, seeds averaged, each item counting "
        f"once. Intervals are of one metric each; p is corrected for {len(metrics)}.",
        *([f"p: {comparison.method}, step-down max-T."] if comparison.method else []),
    ]
    powers = [metric.power for metric in metrics if metric.power.minimum_detectable_effect is not None]
    if powers:
        notes.append(
            "Detectable: the smallest true difference that these items show with probability "
            f"{powers[0].power:g}; what is smaller was not to be expected here."
        )
    if comparison.motion:
        equal = [metric.at_equal_motion for metric in metrics if metric.at_equal_motion is not None]
        notes.append(
            f"At equal {comparison.motion}: the difference that a straight line gives where both sides have the same "
            f"{comparison.motion}, with its own interval; not corrected."
        )
        if any(each.is_extrapolated for each in equal):
            notes.append(f"{EXTRAPOLATED} one side has more {comparison.motion} in every item: equal was never seen.")
    distances = [metric.column.header for metric in metrics if metric.by_distance]
    if distances:
        notes.append(f"→ {', '.join(distances)}: the difference is of distances to the ground truth; less is better.")
    if any(metric.difference.only_left or metric.difference.only_right for metric in metrics):
        notes.append("Items (+a/b): a more are scored only on the left and b only on the right; they do not count.")
    reasons: dict[str, list[str]] = {}
    for metric in metrics:
        if metric.difference.estimate.low is None:
            reasons.setdefault(metric.difference.estimate.note, []).append(metric.column.header)
    notes += [f"No interval for {', '.join(headers)}: {note}." for note, headers in reasons.items()]
    notes += comparison.notes
    for field, mine, theirs in comparison.protocol:
        left, right = shortened(mine, theirs)
        notes.append(f"The protocols differ in `{field}`: {left} on the left, {right} on the right.")
    return notes if comparison.protocol else [*notes, "The protocols are the same."]


def _comparison_title(comparison: Comparison) -> str:
    return f"{comparison.suite_key}: {comparison.left} against {comparison.right}"


def _comparison_text(comparison: Comparison) -> str:
    grid = text_grid(
        _comparison_header(comparison), [[_comparison_row(comparison, metric) for metric in comparison.metrics]]
    )
    return _lines(_comparison_title(comparison), "", *grid, "", *_comparison_notes(comparison))


def _comparison_markdown(comparison: Comparison) -> str:
    rows = [[markdown(cell) for cell in _comparison_row(comparison, metric)] for metric in comparison.metrics]
    grid = markdown_grid([markdown(cell) for cell in _comparison_header(comparison)], rows)
    notes = (f"- {markdown(note)}" for note in _comparison_notes(comparison))
    return _lines(f"### {markdown(_comparison_title(comparison))}", "", *grid, "", *notes)


def _tidy_metric(comparison: Comparison, metric: MetricComparison) -> dict[str, Any]:
    found, estimate = metric.difference, metric.difference.estimate
    matched = metric.at_equal_motion
    equal = None if matched is None else matched.at_equal_motion
    return {
        "suite": comparison.suite_key,
        "left": comparison.left,
        "right": comparison.right,
        "metric": metric.column.metric,
        "direction": metric.column.direction,
        "left_mean": metric.left,
        "right_mean": metric.right,
        "difference": estimate.value,
        "by_distance": metric.by_distance,
        "low": estimate.low,
        "high": estimate.high,
        "level": estimate.level,
        "interval": estimate.method,
        "note": estimate.note,
        "standard_error": estimate.standard_error,
        "p": found.p_value,
        "corrected_p": metric.corrected_p,
        "minimum_detectable_effect": metric.power.minimum_detectable_effect,
        "matched_by": comparison.motion if matched is not None else "",
        "at_equal_motion": None if equal is None else equal.value,
        "at_equal_motion_low": None if equal is None else equal.low,
        "at_equal_motion_high": None if equal is None else equal.high,
        "extrapolated": None if matched is None else matched.is_extrapolated,
        "better": metric.wins,
        "worse": metric.losses,
        "equal": found.ties,
        "items": found.items,
        "clusters": estimate.clusters,
        "only_left": found.only_left,
        "only_right": found.only_right,
        "verdict": metric.verdict,
    }


def _comparison_json(comparison: Comparison) -> str:
    content = {
        "suite": comparison.suite_key,
        "left": comparison.left,
        "right": comparison.right,
        "left_run": comparison.left_run,
        "right_run": comparison.right_run,
        "level": comparison.level,
        "correction": "max-t",
        "metrics": [_tidy_metric(comparison, metric) for metric in comparison.metrics],
        "protocol": [{"field": field, "left": mine, "right": theirs} for field, mine, theirs in comparison.protocol],
        "notes": _comparison_notes(comparison),
    }
    return _dumped(content)


def _dumped(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _lines(*lines: str) -> str:
    text: Sequence[str] = [line.rstrip() for line in lines]
    return "\n".join(text).rstrip("\n") + "\n"
