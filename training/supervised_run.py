"""Supervised training from a configuration."""

from anisora.harness.errors import DataError
from anisora.harness.progress import announce, progress
from anisora.training.config import SupervisedConfig
from anisora.training.framing import shown
from anisora.training.items import SizedItem, read_items, sized_items
from anisora.training.posed_items import PosedItem
from anisora.training.supervised import Supervised
from anisora.training.surroundings import Surroundings

__all__ = ["make_supervised"]


def make_supervised(given: Surroundings[SupervisedConfig]) -> Supervised:
    """Read and encode the items of a configuration, each by one of the processes; return the way to train on them.

    Raises:
        DataError: There is nothing to train on.
        VideoUnreadable: A video cannot be decoded.
        RecordError: The cache cannot be written.
    """
    config, share = given.config, given.share
    items, left_out = sized_items(
        read_items(config.data), given.buckets, given.reader, fps=given.fps, skipped=given.skipped
    )
    if left_out and given.is_shown:
        announce(f"Left out {len(left_out)} of {len(left_out) + len(items)} items; the first: {left_out[0]}")
    if not items:
        raise DataError(
            f"`data` got {config.data!r}, none of whose {len(left_out)} items can be used; the first: {left_out[0]} "
            "Add longer videos, or smaller `buckets`."
        )
    own: list[SizedItem] = items[share.process :: share.processes]
    with progress("encode", len(own), shown=given.is_shown) as advance:
        given.encodings.prepare(((each.item.clip, each.bucket, each.item.prompt) for each in own), advance)
    given.wait_for_everyone()
    assert config.guides is not None
    assert config.text_dropout is not None
    assert config.condition_dropout is not None
    return Supervised(
        given.family,
        items,
        given.encodings,
        share,
        seed=config.seed,
        guides=config.guides,
        text_dropout=config.text_dropout,
        condition_dropout=config.condition_dropout,
        device=given.device,
        shown=shown(given, [PosedItem(each.item.id, each.item.prompt, each.item.clip) for each in items]),
    )
