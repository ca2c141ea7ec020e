"""Prompts with a first frame, which clips are drawn from: rows of a manifest, items of a suite, clips to train on.

The first frame is an image of its own, or that of a video. It is cut to the size of the clips once, and written as a
picture that networks, rewards and people see alike.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from anisora.harness.errors import DataError
from anisora.harness.inputs.manifest import clip_at, read_manifest, samples_of
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.png import png_bytes
from anisora.harness.runfolder import write_atomically
from anisora.harness.suite import load_samples, load_suite
from anisora.harness.types import Clip, Condition, Frames, Image, Sample
from anisora.models.image_fit import covering
from anisora.training.buckets import Bucket, bucket_of
from anisora.training.items import read_items

__all__ = ["FIRST_FRAMES", "FramedItem", "PosedItem", "framed_item", "framed_items", "read_posed_items"]

FIRST_FRAMES: Final = "first_frames"
"""In the run folder."""
_LONG_ENOUGH: Final = 1_000_000
"""Frames: what an image is good for."""


@dataclass(frozen=True, slots=True)
class PosedItem:
    """A prompt and where its first frame is from."""

    id: str
    prompt: str
    source: Image | Clip


@dataclass(frozen=True, slots=True)
class FramedItem:
    """A prompt and its first frame, at the size of the clips that are drawn."""

    id: str
    prompt: str
    bucket: Bucket
    image: Image
    """A PNG of the bucket's size."""

    @property
    def condition(self) -> Condition:
        """What rewards are told of the image."""
        return Condition(keyframes=((0.0, self.image),))


def read_posed_items(source: str) -> list[PosedItem]:
    """Read prompts with a first frame.

    Args:
        source: A manifest whose rows have ``prompt`` and ``image`` (or ``ground_truth``, or ``video``), a suite whose
            items have a first image or ground truth, or a JSON list as the authors train on. Where there is an image,
            it goes before the first frame of a video.

    Raises:
        DataError: The file cannot be read, or no item has both.
        ConfigError: A suite's file is none.
        UnknownNameError: There is neither a file nor a suite of that name.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return [PosedItem(item.id, item.prompt, item.clip) for item in read_items(source)]
    if suffix in (".jsonl", ".csv", ".parquet"):
        rows = read_manifest(path)
        videos = {row.id: row for row in rows if row.video is not None}
        samples = samples_of(rows)
    else:
        videos = {}
        samples = load_samples(load_suite(source))
    items = []
    for sample in samples:
        found = _first_image(sample) or sample.ground_truth
        if found is None and sample.id in videos:
            row = videos[sample.id]
            assert row.video is not None
            found = clip_at(row.video, row.fps)
        if found is not None and sample.prompt:
            items.append(PosedItem(sample.id, sample.prompt, found))
    if not items:
        raise DataError(
            f"`data` got {source!r}, which has no prompt with an image, ground truth or video; expected one or more. "
            "Add them."
        )
    return items


def _first_image(sample: Sample) -> Image | None:
    return next((image for position, image in sample.condition.keyframes if position == 0), None)


def framed_items(
    items: Sequence[PosedItem],
    buckets: Sequence[Bucket],
    run: Path,
    reader: DecoderPool,
    *,
    skipped: int,
    told: Callable[[], None] = lambda: None,
) -> list[FramedItem]:
    """Write the first frames of items; return them in order.

    Args:
        items: Some.
        buckets: Sizes of clips; of those of the most frames, an item gets the nearest in shape.
        run: The run folder.
        reader: Decodes images and videos.
        skipped: Frames left out at the beginning of each video.
        told: Is told of each.

    Raises:
        VideoUnreadable: An image or a video cannot be decoded.
    """
    found = []
    for item in items:
        found.append(framed_item(item, buckets, run, reader, skipped=skipped))
        told()
    return found


def framed_item(
    item: PosedItem, buckets: Sequence[Bucket], run: Path, reader: DecoderPool, *, skipped: int
) -> FramedItem:
    """Write the first frame of an item; arguments and errors as of ``framed_items``."""
    frame = _frame(item.source, reader, skipped)
    height, width, _ = frame.shape
    bucket = bucket_of(height, width, _LONG_ENOUGH, buckets, fps=1, clip_fps=1, skipped=0)
    assert bucket is not None
    pixels = covering(frame, bucket.height, bucket.width).clamp(0, 1)
    fitted = (pixels.permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)
    content = png_bytes(fitted)
    path = run / FIRST_FRAMES / f"{item.id}.png"
    with write_atomically(path, "first_frame") as file:
        file.write(content)
    return FramedItem(item.id, item.prompt, bucket, Image(path=path, digest=hashlib.sha256(content).hexdigest()))


def _frame(source: Image | Clip, reader: DecoderPool, skipped: int) -> Frames:
    if isinstance(source, Image):
        return reader.read_image(source.path)
    with reader.open(source, lambda info: [min(skipped, info.num_frames - 1)]) as stream:
        found: list[Frames] = [frames[0].copy() for _, frames in stream]
    return found[0]
