"""What an audit found, as plain data: the file ``audit.json`` in the folder that was audited."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anisora.harness.runfolder import write_atomically
from anisora.harness.training_folder import AUDIT
from anisora.training.audit.decision import Finding
from anisora.training.audit.live import Audit

__all__ = ["AUDIT", "audit_data", "write_audit"]


def audit_data(audit: Audit) -> dict[str, Any]:
    """Return plain data: alarms, the signals with their thresholds, and what was found at each step."""
    return {
        "alarms": [asdict(alarm) for alarm in audit.alarms],
        "stop": {"step": audit.looks[-1].step, "signals": list(audit.stopping)} if audit.stopping else None,
        "level": audit.level,
        "optimised": list(audit.optimised),
        "held_out": list(audit.held_out),
        "signals": {name: asdict(signal) for name, signal in audit.signals.items()},
        "looks": [
            {
                "step": look.step,
                "kl": look.kl,
                "kl_limit": look.kl_limit,
                "findings": {name: _found(finding) for name, finding in look.findings.items()},
            }
            for look in audit.looks
        ],
        "notes": list(audit.notes),
    }


def _found(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in asdict(finding).items() if name not in ("signal", "worst")}


def write_audit(audit: Audit, folder: Path) -> Path:
    """Write ``audit.json`` and return its path."""
    path = folder / AUDIT
    with write_atomically(path, "audit") as file:
        text = json.dumps(audit_data(audit), indent=1, ensure_ascii=False, allow_nan=False)
        file.write(text.encode() + b"\n")
    return path
