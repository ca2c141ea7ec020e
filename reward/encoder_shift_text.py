"""What encoders do to metrics, as a table for the terminal and as plain data."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from anisora.reward.encoder_shift import EncoderShift, ShiftReport

__all__ = ["shift_data", "shift_text"]

_HEADER: Final = ("metric", "encoder", "clips", "before", "after", "difference", "in deviations", "largest", "ranks")
_HEADER_END: Final = ("p", "reads as")
_LEVEL: Final = 0.05


def shift_data(report: ShiftReport) -> dict[str, Any]:
    """Return plain data."""
    rows = [asdict(each) | {"standardised": each.standardised, "reads_as": _verdict(each)} for each in report.shifts]
    return {
        "clips": report.clips,
        "shifts": rows,
        "excluded": dict(report.excluded),
        "problems": list(report.problems),
    }


def shift_text(report: ShiftReport) -> str:
    """Write a table, and below it what was left out and how to read the columns."""
    rows = [(*_HEADER, *_HEADER_END), *(_row(each) for each in report.shifts)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *_notes(report)]
    return "\n".join(lines) + "\n"


def _row(each: EncoderShift) -> tuple[str, ...]:
    estimate = each.difference.estimate
    interval = "" if estimate.low is None or estimate.high is None else f" [{estimate.low:+.3g}, {estimate.high:+.3g}]"
    difference = "-" if estimate.value is None else f"{estimate.value:+.3g}{interval}"
    return (
        each.metric,
        each.encoder,
        str(each.difference.items),
        _number(each.before, ".4g"),
        _number(each.after, ".4g"),
        difference,
        _number(each.standardised, "+.2f"),
        _number(each.largest, ".3g"),
        _number(each.rank_correlation, ".3f"),
        _number(each.corrected_p, ".2g"),
        _verdict(each),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _verdict(each: EncoderShift) -> str:
    """Return how a shift reads: ``better`` or ``worse`` where the metric has a direction, else ``more``, ``less``."""
    value = each.difference.estimate.value
    if each.corrected_p is None or value is None or each.corrected_p >= _LEVEL:
        return "-"
    if each.direction == "reference":
        return "more" if value > 0 else "less"
    return "better" if (value > 0) == (each.direction == "higher") else "worse"


def _notes(report: ShiftReport) -> list[str]:
    notes = [
        "difference: after the encoder minus before, mean over clips, 95% interval by clusters; in deviations: over",
        "that of clips from one another; ranks: Spearman of clips before and after; p: two-sided, corrected by Holm.",
    ]
    notes += [f"No interval: {note}." for note in sorted(_without_interval(report.shifts))]
    notes += [
        f"{each.metric} under {each.encoder}: {count} clips without a score {when}, left out."
        for each in report.shifts
        for count, when in ((each.difference.only_right, "after"), (each.difference.only_left, "before"))
        if count
    ]
    notes += [f"Left out: {metric}: {reason}." for metric, reason in report.excluded.items()]
    return [*notes, *(f"Not encoded: {problem}" for problem in report.problems)]


def _without_interval(shifts: Sequence[EncoderShift]) -> set[str]:
    return {each.difference.estimate.note for each in shifts if each.difference.estimate.note}
