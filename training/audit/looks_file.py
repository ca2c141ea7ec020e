"""Looks that were made while a training ran, kept in its folder: one that goes on measures none of them again.

audit.jsonl   a line a look: step, digest, optimised metrics, mean kl, what was found of each signal, evidence
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import RecordError
from anisora.harness.journal import read_journal
from anisora.harness.record import digest_of
from anisora.harness.types import Clip
from anisora.training.audit.alarms import Look
from anisora.training.audit.clips import AuditClip
from anisora.training.audit.decision import Finding, PairOfClips
from anisora.training.audit.signals import Signal

__all__ = ["LOOKS", "digest_of_look", "entry_of", "look_of", "optimised_before"]

LOOKS: Final = "audit.jsonl"


def digest_of_look(
    base: Sequence[AuditClip], clips: Sequence[AuditClip], signals: Mapping[str, Signal], level: float
) -> str:
    """Return a digest of all that what is found depends on: clips, signals with their thresholds, and the level."""
    files = [
        [[clip.item, clip.seed, clip.video.digest if isinstance(clip.video, Clip) else ""] for clip in some]
        for some in (base, clips)
    ]
    return digest_of({"clips": files, "signals": [asdict(signal) for signal in signals.values()], "level": level})


def entry_of(look: Look, digest: str, optimised: Sequence[str]) -> dict[str, Any]:
    """Return the line of a look, plain JSON."""
    return {
        "step": look.step,
        "digest": digest,
        "optimised": list(optimised),
        "kl": look.kl,
        "findings": {name: asdict(finding) for name, finding in look.findings.items()},
        "evidence": [list(key) for key in look.evidence],
    }


def look_of(entry: Mapping[str, Any], clips: Sequence[AuditClip], kl_limit: float | None, order: Sequence[str]) -> Look:
    """Return the look of a line.

    Args:
        entry: As ``entry_of`` returned it.
        clips: That it was of.
        kl_limit: As it is now.
        order: Of the signals.

    Raises:
        RecordError: The line is damaged.
    """
    own = {clip.key: clip for clip in clips}
    try:
        found = {
            name: Finding(**{**each, "worst": tuple(PairOfClips(**pair) for pair in each["worst"])})
            for name, each in entry["findings"].items()
        }
        return Look(
            step=entry["step"],
            findings={name: found[name] for name in order},
            kl=entry["kl"],
            kl_limit=kl_limit,
            evidence={(item, seed): own[item, seed] for item, seed in entry["evidence"]},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"`{LOOKS}` is damaged in the line of step {entry.get('step')!r} ({type(error).__name__}); expected what "
            "an audit wrote. Remove the file: its clips are measured again."
        ) from error


def optimised_before(run: Path) -> tuple[str, ...]:
    """Return the metrics that a training optimises, as its own audit knew them; none where it had no audit."""
    lines = read_journal(run / LOOKS)
    return tuple(lines[-1].get("optimised", ())) if lines else ()
