"""Tracks of a suite: which frames models are given, at which positions, and whether they are given a mask.

The same items are posed in several ways: with the first frame, the last, one in the middle, several, or with a region
to move. A track is data of the suite. Frames that no file of the data set holds are taken from the ground truth, once,
and kept below the cache.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from anisora.harness.errors import DataError, VideoUnreadable
from anisora.harness.executors.local import map_unordered
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.png import png_bytes
from anisora.harness.progress import progress
from anisora.harness.runfolder import write_atomically
from anisora.harness.types import Clip, Frames, Image, Sample
from anisora.harness.weights import cache_folder

__all__ = ["DerivedTrack", "FrameSource", "Track", "on_track", "posable", "split_track"]

FrameSource = Literal["image", "ground_truth"]
"""``image``: the item's own conditioning image at this position. ``ground_truth``: its ground truth's frame there."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
_WORKERS: Final = 2


class Track(BaseModel):
    """What models are given of an item beside its prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keyframes: Annotated[dict[Annotated[float, Field(ge=0, le=1)], FrameSource], Field(min_length=1)]
    """{position: where its frame is from}; 0 is the first frame and 1 the last."""
    region_mask: bool = False
    """Models are given the item's region mask, and items without one are not in the track; else nobody is given it."""


class DerivedTrack(BaseModel):
    """Rows that nobody generates: the mean over runs on several tracks, item by item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean_of: Annotated[tuple[str, ...], Field(min_length=2)]
    """Names of tracks."""


def split_track(name: str) -> tuple[str, str | None]:
    """Split ``suite@track`` into the suite and the track; what follows an ``@`` and is no name of a track stays.

    Example:
        >>> split_track("demo@last"), split_track("suites/mine.yaml"), split_track("demo@4")
        (('demo', 'last'), ('suites/mine.yaml', None), ('demo@4', None))
    """
    head, _, tail = name.rpartition("@")
    return (head, tail) if head and _NAME.fullmatch(tail) else (name, None)


def posable(samples: Sequence[Sample], track: Track) -> list[Sample]:
    """Return the items that a track has: all, or those with a region mask where it gives one."""
    return [sample for sample in samples if sample.condition.region_mask is not None or not track.region_mask]


def on_track(samples: Sequence[Sample], track: Track, *, named: str) -> list[Sample]:
    """Return items with the conditioning of a track.

    Frames of ground truths are written as PNG below the cache where they are not there yet; one decoding an item.

    Args:
        samples: The items.
        track: What is given.
        named: ``suite@track``, for messages.

    Raises:
        DataError: An item lacks the image or the ground truth that the track takes a frame from, or it cannot be read.
    """
    folder = cache_folder() / "ground-truth-frames"
    positions = {sample.id: _from_truth(sample, track, named) for sample in samples}
    absent = {
        sample.id: lacking
        for sample in samples
        if sample.ground_truth is not None
        and (lacking := [at for at in positions[sample.id] if not _path(folder, sample.ground_truth, at).is_file()])
    }
    if absent:
        _write_frames([sample for sample in samples if sample.id in absent], absent, folder, named)
    return [_posed(sample, track, folder) for sample in samples]


def _from_truth(sample: Sample, track: Track, named: str) -> list[float]:
    """Return the positions whose frames come from an item's ground truth.

    Raises:
        DataError: It lacks what the track takes.
    """
    given = sample.condition.positions
    for position, source in track.keyframes.items():
        what, at = f"Item {sample.id!r} of `{named}` has", f"at position {position:g}"
        if source == "image" and position not in given:
            there = f"its images are at {list(given)}" if given else "it has none"
            raise DataError(f"{what} no image {at}, and {there}; expected one there; add it to the manifest.")
        if source == "ground_truth" and sample.ground_truth is None:
            raise DataError(f"{what} no ground truth, from which the frame {at} is taken; add it to the manifest.")
    return [position for position, source in track.keyframes.items() if source == "ground_truth"]


def _path(folder: Path, truth: Clip, position: float) -> Path:
    return folder / truth.digest[:2] / f"{truth.digest}-at-{position:g}.png"


def _posed(sample: Sample, track: Track, folder: Path) -> Sample:
    own = dict(sample.condition.keyframes)
    keyframes = []
    for position, source in sorted(track.keyframes.items()):
        if source == "image":
            keyframes.append((position, own[position]))
        elif sample.ground_truth is not None:
            # Named by what it is, not by its bytes: how a PNG is packed depends on the version of a library.
            truth = sample.ground_truth
            path = _path(folder, truth, position)
            keyframes.append((position, Image(path=path, digest=f"{truth.digest}-at-{position:g}")))
    mask = sample.condition.region_mask if track.region_mask else None
    return replace(sample, condition=replace(sample.condition, keyframes=tuple(keyframes), region_mask=mask))


def _write_frames(samples: Sequence[Sample], wanted: Mapping[str, Sequence[float]], folder: Path, named: str) -> None:
    def work(sample: Sample) -> None:
        assert sample.ground_truth is not None
        try:
            found = _frames_at(pool, sample.ground_truth, wanted[sample.id])
        except VideoUnreadable as error:
            raise DataError(
                f"The ground truth of item {sample.id!r} of `{named}`, from which frames are taken, cannot be read "
                f"({error.reason}: {error.detail.rstrip('.')}); replace the file or take the item out."
            ) from error
        for position, frame in found.items():
            path = _path(folder, sample.ground_truth, position)
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(path, "track_frame") as file:
                file.write(png_bytes(frame))

    try:
        with DecoderPool(processes=_WORKERS) as pool, progress("frames", len(samples), shown=True) as advance:
            for _ in map_unordered(work, samples, workers=_WORKERS):
                advance()
    except OSError as error:
        raise DataError(
            f"Frames of `{named}` cannot be written to `{folder}`: {error.strerror or error}; set ANISORA_CACHE to a "
            "folder that can be written."
        ) from error


def _frames_at(pool: DecoderPool, truth: Clip, positions: Sequence[float]) -> dict[float, Frames]:
    """Return {position: (H, W, 3)}; a clip whose container counts its frames wrongly is read twice."""
    length: int | None = None
    while True:
        with pool.open(
            truth, lambda info: sorted(set(_indices(info.num_frames, positions))), num_frames=length
        ) as stream:
            expected = stream.expected.num_frames
            found = {
                int(index): frame.copy()
                for indices, frames in stream
                for index, frame in zip(indices, frames, strict=True)
            }
        if stream.info.num_frames == expected:
            return dict(zip(positions, (found[index] for index in _indices(expected, positions)), strict=True))
        length = stream.info.num_frames


def _indices(num_frames: int, positions: Sequence[float]) -> list[int]:
    return [int(np.rint(position * (num_frames - 1))) for position in positions]
