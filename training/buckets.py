"""Sizes of clips, and which clips a step takes: of one size, chosen from the seed and the step alone.

A step's samples are the same however many processes share them, and wherever a training was stopped.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np

from anisora.harness.errors import DataError

__all__ = ["BatchPlan", "BatchesInOrder", "Bucket", "StepBatch", "bucket_of", "frames_needed"]


class Bucket(NamedTuple):
    """A size of clips."""

    height: int
    width: int
    frames: int

    def __str__(self) -> str:
        """Written as ``720x1280x49``."""
        return f"{self.height}x{self.width}x{self.frames}"


def frames_needed(frames: int, *, fps: float, clip_fps: float, skipped: int) -> int:
    """Return how long a video must be to give a clip.

    Args:
        frames: Of the clip.
        fps: Of the clip.
        clip_fps: Of the video.
        skipped: Frames left out at the beginning of the video.

    Example:
        >>> frames_needed(9, fps=16.0, clip_fps=24.0, skipped=2)
        15
    """
    return skipped + int((frames - 1) / fps * clip_fps) + 1


def bucket_of(
    height: int, width: int, num_frames: int, buckets: Sequence[Bucket], *, fps: float, clip_fps: float, skipped: int
) -> Bucket | None:
    """Return the size that a video is used at: the longest one it is long enough for, of those the nearest in shape.

    Args:
        height: Of the video.
        width: The same.
        num_frames: The same.
        buckets: To choose from.
        fps: Of clips.
        clip_fps: Of the video.
        skipped: Frames left out at the beginning of the video.

    Returns:
        None where it is too short for all.
    """
    able = [
        bucket
        for bucket in buckets
        if frames_needed(bucket.frames, fps=fps, clip_fps=clip_fps, skipped=skipped) <= num_frames
    ]
    shape = math.log(height / width)
    return min(
        able,
        key=lambda each: (-each.frames, abs(math.log(each.height / each.width) - shape), -each.height * each.width),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class StepBatch:
    """What a step takes."""

    step: int
    """From 0."""
    bucket: Bucket
    items: tuple[int, ...]
    """Places in the list of items; one may be there twice where a bucket has fewer than a step takes."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Which items each step takes: a bucket drawn by the number of its items, and the next of these in drawn order."""

    buckets: Sequence[Bucket]
    """Of each item."""
    batch_size: int
    seed: int

    def batches(self, start: int = 0) -> Iterator[StepBatch]:
        """Yield the batch of each step, without end.

        Args:
            start: The first step that is wanted, from 0.

        Raises:
            DataError: There are no items.
        """
        if not self.buckets:
            raise DataError("`data` has no item that can be trained on; add videos, or smaller `buckets`.")
        names = sorted(set(self.buckets))
        members = [np.flatnonzero([bucket == name for bucket in self.buckets]) for name in names]
        chances = np.array([len(own) for own in members]) / len(self.buckets)
        taken = [0] * len(names)
        for step in count():
            at = int(np.random.default_rng([self.seed, step]).choice(len(names), p=chances))
            first = taken[at]
            taken[at] += self.batch_size
            if step >= start:
                places = range(first, taken[at])
                items = tuple(self._item(members[at].tolist(), at, place) for place in places)
                yield StepBatch(step, names[at], items)

    def _item(self, members: Sequence[int], bucket: int, place: int) -> int:
        epoch, within = divmod(place, len(members))
        return members[int(np.random.default_rng([self.seed, bucket, epoch, 1]).permutation(len(members))[within])]


class BatchesInOrder:
    """The batches of a plan, asked for step by step from wherever a training goes on."""

    def __init__(self, plan: BatchPlan) -> None:
        self._plan = plan
        self._batches: Iterator[StepBatch] | None = None

    def at(self, step: int) -> StepBatch:
        """Return the batch of a step; the next one that is asked for is that of the next step."""
        if self._batches is None:
            self._batches = self._plan.batches(step)
        batch = next(self._batches)
        assert batch.step == step
        return batch
