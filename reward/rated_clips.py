"""The clips that people judged, and which of them must stay on one side of a split."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from anisora.harness.errors import DataError
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.inputs.paths import shortened
from anisora.harness.inputs.runs import find_run, read_spec
from anisora.harness.inputs.videos import VideoMatch, custom_items
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.suite import samples_by_id, suite_of_run
from anisora.harness.types import Generation, Sample
from anisora.harness.windows import FrameFeed
from anisora.reward.ratings import ClipKey

__all__ = ["GroupBy", "clips_of_runs", "clips_of_videos", "first_frame_digest", "groups_of", "judged_clips"]

GroupBy = Literal["first-frame", "label"]

Clips = dict[ClipKey, Generation]


def clips_of_videos(sources: Sequence[Path], *, fps: float | None = None) -> Clips:
    """Return the clips of folders or manifests, each a system of its name; of one source alone, without a name.

    Raises:
        DataError: A source cannot be read, or has two clips of one item.
    """
    samples, systems = custom_items(sources, fps=fps, allow_missing=len(sources) > 1)
    by_id = {sample.id: sample for sample in samples}
    found: Clips = {}
    for name, match in systems:
        _add(found, name, by_id, match)
    return found


def _add(found: Clips, model: str, samples: Mapping[str, Sample], match: VideoMatch) -> None:
    for (item, seed), clip in match.clips.items():
        _once(found, Generation(sample=samples[item], clip=clip, model=model, seed=seed))


def _once(found: Clips, clip: Generation) -> None:
    key = ClipKey(clip.sample.id, clip.model)
    if found.setdefault(key, clip) is not clip:
        raise DataError(
            f"Clip {shortened(str(key))} is there with seeds {found[key].seed} and {clip.seed}; expected one clip to "
            "every rating; give a folder or manifest with one seed."
        )


def clips_of_runs(runs: Sequence[Path]) -> Clips:
    """Return the clips of run folders, each of the run's system.

    Raises:
        DataError: A folder holds no run, a clip is gone, or two runs are of one system.
    """
    found: Clips = {}
    for path in runs:
        run = find_run(path)
        spec = read_spec(run)
        samples = samples_by_id(suite_of_run(spec))
        if not samples and spec.videos:
            items, _ = custom_items([Path(video) for video in spec.videos], allow_missing=True)
            samples = {sample.id: sample for sample in items}
        for row in run.read_clips():
            where = run.path / row.path
            clip = clip_at(where, row.fps if where.is_dir() else None)
            sample = samples.get(row.item_id, Sample(id=row.item_id))
            _once(found, Generation(sample=sample, clip=clip, model=spec.model, seed=row.seed))
    return found


def judged_clips(judged: Iterable[ClipKey], clips: Clips) -> Clips:
    """Return the clips that were judged, under the names that the file of judgements has for them.

    Raises:
        DataError: A judged clip is not there, or the file does not say of which system it is.
    """
    wanted = sorted(set(judged))
    models = sorted({clip.model for clip in clips})
    if not any(clip.model for clip in wanted):
        if len(models) > 1:
            raise DataError(
                f"The clips are of {len(models)} systems ({', '.join(models[:3])}) and the ratings have no column "
                "`model`; expected it; add it, or give the clips of one system."
            )
        clips = {ClipKey(key.sample_id): clip for key, clip in clips.items()}
    missing = [key for key in wanted if key not in clips]
    if missing:
        known = next(iter(sorted(clips)), None)
        raise DataError(
            f"{len(missing)} of {len(wanted)} judged clips are not there, such as {shortened(str(missing[0]))}; there "
            f"is {shortened(str(known))}; expected the same ids and systems; correct the ratings, or give the clips."
        )
    return {key: clips[key] for key in wanted}


def first_frame_digest(pool: DecoderPool, clip: Generation) -> str:
    """Return the digest of a clip's first frame, decoded.

    Raises:
        VideoUnreadable: It cannot be decoded.
    """
    with FrameFeed(pool, clip.clip, lambda _: np.zeros(1, np.int64), None) as feed:
        for _, frame in feed.singly():
            return hashlib.sha256(repr(frame.shape).encode() + np.ascontiguousarray(frame).tobytes()).hexdigest()
    raise DataError(f"Clip {shortened(clip.sample.id)} has no frame; leave it out.")


def groups_of(clips: Clips, first_frames: Mapping[ClipKey, str], *, by: GroupBy = "first-frame") -> dict[ClipKey, str]:
    """Return the group of each clip: those that share an item, a first frame, or a chain of both.

    Args:
        clips: The judged clips.
        first_frames: {clip: digest of its decoded first frame}. The conditioning image at position 0, where an item has
            one, counts too: systems redraw the picture they are given, and damages change it.
        by: ``label`` also puts the clips of one action into one group.
    """
    parent = {key: key for key in clips}

    def root(key: ClipKey) -> ClipKey:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    first: dict[tuple[str, str], ClipKey] = {}
    for key, clip in clips.items():
        shared = [("item", clip.sample.id), ("frame", first_frames[key])]
        shared += [("image", image.digest) for position, image in clip.sample.condition.keyframes if position == 0]
        if by == "label" and clip.sample.label is not None:
            shared.append(("label", clip.sample.label))
        for mark in shared:
            one, other = root(first.setdefault(mark, key)), root(key)
            parent[max(one, other)] = min(one, other)
    return {key: str(root(key)) for key in clips}
