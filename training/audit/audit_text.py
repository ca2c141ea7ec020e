"""What an audit found, as a table for the terminal."""

from typing import Final

from anisora.training.audit.alarms import KL, Alarm
from anisora.training.audit.decision import Finding
from anisora.training.audit.live import Audit
from anisora.training.audit.signals import Signal

__all__ = ["alarm_line", "audit_text", "change_text", "state_of"]

_HEADER: Final = ("signal", "base", "trained", "change", "p", "counts from", "")
_UNITS: Final = {"relative": " rel", "difference": "", "deviations": " sd"}


def audit_text(audit: Audit) -> str:
    """Write the last look as a table, the alarms of all looks below it, and how to read the columns."""
    look = audit.looks[-1]
    clips = max((finding.clips for finding in look.findings.values()), default=0)
    rows = [_HEADER, *(_row(audit.signals[name], finding) for name, finding in look.findings.items())]
    if look.kl is not None:
        limit = "-" if look.kl_limit is None else f"{look.kl_limit:g}"
        rows.append((KL, "-", f"{look.kl:.4g}", "-", "-", limit, "ALARM" if KL in look.raised else ""))
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADER))]
    lines = [f"Step {look.step}: {clips} pairs of clips." if look.step else f"{clips} pairs of clips.", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(map(alarm_line, audit.alarms) if audit.alarms else ["No alarm."]), "", *_notes(audit)]
    return "\n".join(lines) + "\n"


def _row(signal: Signal, finding: Finding) -> tuple[str, ...]:
    sign = {"down": "-", "up": "+", "either": "±"}[signal.bad]
    return (
        signal.name,
        _number(finding.base),
        _number(finding.trained),
        change_text(signal, finding),
        "-" if finding.p_value is None else f"{finding.p_value:.2g}",
        f"{sign}{signal.least:g}{_UNITS[signal.change]}",
        state_of(signal, finding),
    )


def state_of(signal: Signal, finding: Finding) -> str:
    """Return ``ALARM``, or why there is none where it could not be told or the change is large and bad."""
    if finding.is_alarm:
        return "ALARM"
    if finding.change is None or finding.p_value is None:
        return finding.note
    is_bad = signal.bad == "either" or (finding.change > 0) == (signal.bad == "up")
    return "large, not beyond chance" if is_bad and abs(finding.change) >= signal.least else ""


def change_text(signal: Signal, finding: Finding) -> str:
    """Write a change with its interval: ``-0.52 [-0.61, -0.43] rel``."""
    if finding.change is None:
        return "-"
    interval = "" if finding.low is None or finding.high is None else f" [{finding.low:+.3g}, {finding.high:+.3g}]"
    return f"{finding.change:+.3g}{interval}{_UNITS[signal.change]}"


def alarm_line(alarm: Alarm) -> str:
    """Return an alarm as one line, with the pairs of clips to look at."""
    until = "" if alarm.stands else f", until step {alarm.step}"
    since = f" since step {alarm.began}{until}" if alarm.step else ""  # two runs of clips have no steps
    shown = ", ".join(f"{pair.item}-{pair.seed}" for pair in alarm.worst)
    look_at = f" Look at: {shown}." if shown else ""
    size = f"{alarm.change:+.3g}, {alarm.times:.1f} times what counts"
    return f"ALARM {alarm.title} {alarm.direction} ({size}){since}: {alarm.meaning}.{look_at}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _notes(audit: Audit) -> list[str]:
    optimised = ", ".join(audit.optimised) or "not known"
    notes = [
        "change: trained against base over pairs of item and seed, 95 % interval by items; rel: 2 (t - b) / (t + b),",
        "sd: deviations of the base's clips. p: corrected (Holm) for all signals. An alarm has p below",
        f"{audit.level:g} and a change that counts.",
        f"Optimised: {optimised}. Held out: {', '.join(audit.held_out) or 'nothing'}.",
    ]
    motion = audit.looks[-1].findings.get("motion")
    if motion is not None and None not in (motion.floor, motion.trained):
        assert motion.floor is not None
        assert motion.trained is not None
        side = "below" if motion.trained < motion.floor else "not below"
        notes.append(f"Motion is {side} the lower 95 % bound of the base's mean, {motion.floor:.3g}.")
    return [*notes, *(f"Not judged: {note}." for note in audit.notes)]
