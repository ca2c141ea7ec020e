"""Who watches a training: what draws sample clips, and the audit that looks at them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anisora.harness.progress import announce
from anisora.training.audit_watch import AuditWatch
from anisora.training.audited_samples import ITEMS, check_audited_items
from anisora.training.config import GrpoConfig, PreferenceConfig, TrainingConfig
from anisora.training.loop import Method, Watcher
from anisora.training.sample_clips import SampleClips, shown_first
from anisora.training.surroundings import Surroundings

__all__ = ["watching"]


@contextmanager
def watching(given: Surroundings[Any], method: Method) -> Iterator[list[Watcher]]:
    """Yield those who watch a training, in the order in which they are told.

    Raises:
        ConfigError: There are no items to draw clips of, or too few for an audit.
    """
    config, share = given.config, given.share
    if config.samples is None:
        yield []
        return
    items = shown_first(method.shown, config.samples)
    clips = SampleClips(
        given.family,
        given.encodings,
        items,
        config.samples,
        run=config.out,
        reader=given.reader,
        fps=given.fps,
        steps=config.steps,
        guidance=_guidance(config),
        process=(share.process, share.processes),
        wait_for_everyone=given.wait_for_everyone,
        device=given.device,
        is_bfloat16=given.is_bfloat16,
    )
    if config.audit is None:
        yield [clips]
        return
    check_audited_items(len(items))
    if given.is_shown and len(items) < ITEMS:
        announce(f"Audit: of {len(items)} items; below {ITEMS}, only large changes are found.")
    audit = AuditWatch(
        config.audit,
        run=config.out,
        dimensions=method.optimised,
        is_due=clips.is_due,
        is_first=share.process == 0,
        any_of=given.any_of,
        device=given.device,
        tell=announce if given.is_shown else lambda _: None,
    )
    try:
        yield [clips, audit]
    finally:
        audit.close()


def _guidance(config: TrainingConfig) -> float | None:
    """Return that of sample clips; where nothing is said, that of the clips that are trained on."""
    assert config.samples is not None
    if config.samples.guidance is not None:
        return config.samples.guidance
    if isinstance(config, GrpoConfig):
        return config.guidance
    return config.online.guidance if isinstance(config, PreferenceConfig) and config.online is not None else None
