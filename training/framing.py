"""First frames of what clips are drawn from, written and encoded before training begins."""

from collections.abc import Sequence
from typing import Any

from anisora.harness.progress import progress
from anisora.training.posed_items import FramedItem, PosedItem, framed_items
from anisora.training.surroundings import Surroundings

__all__ = ["framed", "shown"]


def framed(given: Surroundings[Any], items: Sequence[PosedItem]) -> tuple[FramedItem, ...]:
    """Write the first frames of items; encode them, each by one of the processes.

    Raises:
        VideoUnreadable: An image or a video cannot be decoded.
        RecordError: The cache cannot be written.
    """
    with progress("first frames", len(items), shown=given.is_shown) as advance:
        found = framed_items(items, given.buckets, given.config.out, given.reader, skipped=given.skipped, told=advance)
    own = found[given.share.process :: given.share.processes]
    with progress("encode", len(own), shown=given.is_shown) as advance:
        given.encodings.prepare_framed(own, advance)
    given.wait_for_everyone()
    return tuple(found)


def shown(given: Surroundings[Any], items: Sequence[PosedItem]) -> tuple[FramedItem, ...]:
    """Return what sample clips are drawn from: as many of the items as the configuration wants shown."""
    samples = given.config.samples
    return () if samples is None else framed(given, items[: samples.items])
