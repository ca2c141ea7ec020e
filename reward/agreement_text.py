"""Agreement as a table for the terminal, and as plain data for other programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from anisora.harness.statistics.agreement_bootstrap import AgreementInterval
from anisora.reward.agreement import Agreement

__all__ = ["agreement_data", "agreement_text"]

_HEADER: Final = (
    *("people", "metric", "over", "n", "Spearman", "Kendall", "Pearson", "pairs right", "with ties"),
    *("pairs", "ties", "unscored"),
)
"""``ties``: of people, among the pairs."""
_PLURALS: Final = {"clip": "clips", "system": "systems", "pair": "pairs"}


def agreement_data(found: Sequence[Agreement]) -> list[dict[str, Any]]:
    """Return plain data, with the accuracies that follow from the counts."""
    rows = []
    for each in found:
        row = asdict(each)
        for name in ("accuracy", "calibrated"):
            accuracy = getattr(each, name)
            row[name] |= {
                "pairs": accuracy.pairs,
                "without_ties": accuracy.without_ties,
                "with_ties": accuracy.with_ties,
            }
        rows.append(row)
    return rows


def agreement_text(found: Sequence[Agreement]) -> str:
    """Write a table, and below it what has no interval, what is against people, and how to read the columns."""
    rows = [_HEADER, *(_row(each) for each in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_notes(found)]) + "\n"


def _row(each: Agreement) -> tuple[str, ...]:
    cells = [each.dimension, each.metric, _PLURALS[each.level], str(each.items)]
    for name in ("spearman", "kendall", "pearson"):
        correlation = getattr(each, name)
        value = None if correlation is None else correlation.value
        cells.append(_cell(value, each.intervals.get(name)) + _p(correlation))
    cells.append(_cell(each.accuracy.without_ties, each.intervals.get("accuracy")))
    cells.append(_cell(each.accuracy.with_ties, each.intervals.get("accuracy_with_ties")))
    cells += [
        str(number)
        for number in (
            each.accuracy.pairs,
            each.accuracy.tied_by_people + each.accuracy.tied_by_both,
            each.unscored,
        )
    ]
    return tuple(cells)


def _cell(value: float | None, interval: AgreementInterval | None) -> str:
    if value is None:
        return "-"
    if interval is None or interval.low is None or interval.high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _p(correlation: Any) -> str:  # noqa: ANN401 - one of two kinds of correlation, or None
    if correlation is None or correlation.p_value is None or not correlation.method.startswith("exact"):
        return ""
    return f" (p {correlation.p_value:.4f})"


def _notes(found: Sequence[Agreement]) -> list[str]:
    notes = []
    for each in found:
        what = f"{each.metric} and {each.dimension} over {_PLURALS[each.level]}"
        correlation = each.spearman
        if correlation is not None and correlation.value is not None and correlation.value < 0:
            notes.append(f"{what}: negative: people prefer less of it; shown as it is.")
        elif correlation is not None and correlation.value is None:
            notes.append(f"{what}: no correlation: {correlation.note}.")
        if each.direction == "lower":
            notes.append(f"{what}: less is better, so scores were turned before they were compared.")
        if each.direction == "reference":
            notes.append(f"{what}: best where it equals the ground truth; taken as greater for better.")
    reasons = {interval.note for each in found for interval in each.intervals.values() if interval.note}
    notes += [f"No interval: {reason}." for reason in sorted(reasons)]
    methods = {interval.method for each in found for interval in each.intervals.values() if interval.method}
    notes += [f"Intervals: 95%, {', '.join(sorted(methods))}."] if methods else []
    exact = {each.spearman.method for each in found if each.spearman and each.spearman.method.startswith("exact")}
    notes += [f"p: two-sided, {method}." for method in sorted(exact)]
    return notes
