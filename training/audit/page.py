"""The page of an audit: one file with alarms, evidence, curves and the table, which loads nothing and runs nothing."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import write_atomically
from anisora.harness.training_folder import AUDIT_PAGE
from anisora.training.audit.alarms import Alarm
from anisora.training.audit.audit_text import alarm_line, change_text, state_of
from anisora.training.audit.curves import HEIGHT, WIDTH, log_curves, signal_curves
from anisora.training.audit.evidence import videos_of
from anisora.training.audit.live import Audit

__all__ = ["write_page"]

_TEMPLATE: Final = "page.html.j2"


def write_page(audit: Audit, folder: Path, log: Iterable[Mapping[str, Any]] = ()) -> Path:
    """Write ``audit.html`` and return its path.

    Args:
        audit: What was found, at one look at least.
        folder: That was audited.
        log: Lines of the training's log, for the curves of its rewards.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("anisora.training.audit").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    with DecoderPool() as pool:
        alarms = [_shown(alarm, audit, pool) for alarm in audit.alarms]
    look = audit.looks[-1]
    text = environment.from_string(template).render(
        name=folder.resolve().name,
        alarms=alarms,
        curves=[*signal_curves(audit), *log_curves(log)],
        width=WIDTH,
        height=HEIGHT,
        step=look.step,
        rows=[
            {
                "signal": audit.signals[name],
                "finding": finding,
                "change": change_text(audit.signals[name], finding),
                "state": state_of(audit.signals[name], finding),
            }
            for name, finding in look.findings.items()
        ],
        level=audit.level,
        optimised=audit.optimised,
        held_out=audit.held_out,
        notes=audit.notes,
    )
    path = folder / AUDIT_PAGE
    with write_atomically(path, "audit_page") as file:
        file.write(text.encode())
    return path


def _shown(alarm: Alarm, audit: Audit, pool: DecoderPool) -> dict[str, Any]:
    trained = next(look.evidence for look in audit.looks if look.step == alarm.step)
    videos = videos_of([(pair.item, pair.seed) for pair in alarm.worst], audit.base, trained, pool)
    evidence = [
        {
            "pair": pair,
            "prompt": audit.base[pair.item, pair.seed].prompt,
            "video": videos[pair.item, pair.seed],
        }
        for pair in alarm.worst
        if (pair.item, pair.seed) in videos
    ]
    return {"alarm": alarm, "line": alarm_line(alarm).removeprefix("ALARM "), "evidence": evidence}
