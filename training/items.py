"""Clips to train on: rows of a manifest, the items of a suite, or the list of the authors' own training.

The list is JSON, of objects with ``hdfs_path``, the video, and ``caption``; what else it says of the video is read from
the video itself.

Reference: anisoraV1_train_gpu/sat/data_video.py, anisoraV2_gpu (data.json).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anisora.harness.errors import DataError, VideoUnreadable
from anisora.harness.inputs.json_lists import read_json_objects
from anisora.harness.inputs.manifest import clip_at, read_manifest
from anisora.harness.inputs.paths import path_exists, shortened
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.suite import load_samples, load_suite
from anisora.harness.types import Clip
from anisora.training.buckets import Bucket, bucket_of

__all__ = ["SizedItem", "TrainingItem", "read_items", "sized_items"]

_LIST = "a JSON list of objects with `hdfs_path` and `caption`"


@dataclass(frozen=True, slots=True)
class TrainingItem:
    """A video with its prompt."""

    id: str
    clip: Clip
    prompt: str


@dataclass(frozen=True, slots=True)
class SizedItem:
    """An item and the size that it is used at."""

    item: TrainingItem
    bucket: Bucket


def read_items(source: str) -> list[TrainingItem]:
    """Read what there is to train on.

    Args:
        source: A manifest whose rows have ``prompt`` and ``video`` (or ``ground_truth``), a JSON list as the authors
            train on, or the name or file of a suite whose items have ground truth.

    Raises:
        DataError: The file cannot be read, has no item, or an item lacks its video or prompt.
        ConfigError: A suite's file is none.
        UnknownNameError: There is neither a file nor a suite of that name.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix == ".json" and path_exists(path):
        items = [_listed(path, place, entry) for place, entry in enumerate(read_json_objects(path, _LIST))]
    elif suffix in (".jsonl", ".csv", ".parquet"):
        items = _of_manifest(path)
    else:
        samples = load_samples(load_suite(source))
        items = [
            TrainingItem(sample.id, sample.ground_truth, sample.prompt)
            for sample in samples
            if sample.ground_truth is not None and sample.prompt
        ]
    if not items:
        raise DataError(f"`data` got {source!r}, which has no video with a prompt; expected one or more. Add them.")
    return items


def _of_manifest(path: Path) -> list[TrainingItem]:
    items = []
    for row in read_manifest(path):
        video = row.video if row.video is not None else row.ground_truth
        if video is None or not row.prompt:
            lacks = "video" if video is None else "prompt"
            raise DataError(f"{row.where}: `{lacks}` is missing; expected a video and what it shows. Add it.")
        items.append(TrainingItem(row.id, clip_at(video, row.fps), row.prompt))
    return items


def _listed(path: Path, place: int, entry: dict[str, Any]) -> TrainingItem:
    for name in ("hdfs_path", "caption"):
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise DataError(
                f"`{path}` entry {place}: `{name}` got {shortened(entry.get(name))}; expected text. Correct it."
            )
    video = path.parent / entry["hdfs_path"]
    if not path_exists(video):
        raise DataError(
            f"`{path}` entry {place}: `hdfs_path` {shortened(entry['hdfs_path'])} does not exist; expected a video, "
            "relative to the list. Correct it."
        )
    return TrainingItem(f"{place}-{video.stem}", clip_at(video, None), entry["caption"])


def sized_items(
    items: Sequence[TrainingItem], buckets: Sequence[Bucket], reader: DecoderPool, *, fps: float, skipped: int
) -> tuple[list[SizedItem], list[str]]:
    """Return the items that are long enough for a bucket, and why the others are left out.

    Args:
        items: In order.
        buckets: Sizes.
        reader: Tells the size of videos.
        fps: Of clips.
        skipped: Frames left out at the beginning of each video.
    """
    found: list[SizedItem] = []
    left_out: list[str] = []
    for item in items:
        try:
            with reader.open(item.clip) as stream:
                info = stream.expected
        except VideoUnreadable as error:
            left_out.append(str(error))
            continue
        bucket = bucket_of(
            info.height, info.width, info.num_frames, buckets, fps=fps, clip_fps=info.fps, skipped=skipped
        )
        if bucket is None:
            left_out.append(f"Item {item.id!r} has {info.num_frames} frames at {info.fps:g} a second: too short.")
        else:
            found.append(SizedItem(item, bucket))
    return found, left_out
