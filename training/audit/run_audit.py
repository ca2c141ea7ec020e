"""The audit of what is on disk: a training with its sampled clips, or two runs of clips."""

from collections.abc import Callable
from pathlib import Path

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import missing_path, path_exists
from anisora.training.audit.clips import SAMPLES, AuditClip, clips_of_run, sampled_clips
from anisora.training.audit.held_out import optimised_metrics
from anisora.training.audit.live import Audit, LiveAudit
from anisora.training.audit.looks_file import optimised_before
from anisora.training.audit.settings import AuditConfig
from anisora.training.run_log import LOG, read_log

__all__ = ["audit_run"]


def audit_run(
    run: Path,
    base: Path | None = None,
    *,
    config: AuditConfig | None = None,
    advance: Callable[[int], Callable[[], None]] = lambda _: lambda: None,
) -> Audit:
    """Audit a training, or a run of clips.

    Args:
        run: A training that sampled clips on the way, or a run of clips.
        base: A run of clips of the model before the training, or a training whose first clips are; clips of step 0 by
            default.
        config: How to work; metrics that are optimised are by default those that the training tells of, in its log or
            where it was audited while it ran.
        advance: Is told how many clips there are, and returns what is called once per clip.

    Raises:
        DataError: Clips are missing, or those of the two have no item and seed in common.
        RecordError: A sampled clip is not the one that was written.
        AnisoraError: As ``LiveAudit``.
    """
    for path in (run, *(() if base is None else (base,))):
        if not path_exists(path) or not path.is_dir():
            raise missing_path(path, "the folder of a training or of a run")
    log = read_log(run / LOG)
    steps = _steps(run, base)
    first = steps.pop(0) if base is None else _first(base)
    if not steps:
        raise DataError(f"`{run}` has clips of step 0 alone; expected some after an update. Train on, and audit again.")
    told = advance(len(first) + sum(map(len, steps.values())))
    told_of = None if config is None else config.optimised
    names = (optimised_metrics(log) or optimised_before(run)) if told_of is None else told_of
    with LiveAudit(first, config=config, optimised=names, advance=told) as audit:
        for step, clips in steps.items():
            audit.look(step, clips, log, advance=told)
        return audit.result()


def _steps(run: Path, base: Path | None) -> dict[int, list[AuditClip]]:
    if base is None or (run / SAMPLES).is_file():
        steps = sampled_clips(run)
        if base is not None:
            steps.pop(0, None)
        return steps
    return {0: clips_of_run(run)}


def _first(base: Path) -> list[AuditClip]:
    return sampled_clips(base)[0] if (base / SAMPLES).is_file() else clips_of_run(base)
