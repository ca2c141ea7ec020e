"""Finds the clip of every item: in a manifest, in a folder by name or by number, or in VBench's lists.

Nothing is decoded here. All that is wrong with names is said before the first file is hashed.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from anisora.harness.errors import ConfigError, DataError, nearest
from anisora.harness.inputs.manifest import sample_of
from anisora.harness.inputs.manifest_rows import check_id
from anisora.harness.inputs.paths import shortened
from anisora.harness.inputs.video_names import Key, NameIndex, numbered_positions, same_spelling
from anisora.harness.inputs.video_sources import FoundVideo, find_videos, video_clip
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Sample

__all__ = ["VideoMatch", "custom_items", "match_videos", "system_names"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMatch:
    """The clips found, by (item id, seed), and the pairs that have none."""

    clips: dict[Key, Clip] = field(default_factory=dict)
    missing: tuple[Key, ...] = ()


def match_videos(
    samples: Sequence[Sample],
    seeds: Sequence[int],
    source: Path,
    *,
    match: Literal["name", "order"] = "name",
    allow_missing: bool = False,
    fps: float | None = None,
    known: Sequence[Sample] | None = None,
    known_seeds: Sequence[int] | None = None,
) -> VideoMatch:
    """Find the clip of every item and seed.

    A name without a seed stands for the first of ``seeds``. Hidden files and files that are no videos are
    passed over; a video that stands for nothing is an error.

    Args:
        samples: The items to be scored.
        seeds: The seeds to be scored.
        source: A manifest, a folder, VBench's ``*_full_info.json``, or one video.
        match: ``name``, or ``order`` for numbered files in the order of the suite.
        allow_missing: Return pairs without a clip as ``missing`` instead of raising.
        fps: Frame rate of folders of frames that have none in the manifest.
        known: All items of the suite where ``samples`` is a part of it: the videos of the others are passed
            over.
        known_seeds: All seeds of the suite where ``seeds`` is a part of them.

    Raises:
        DataError: A video stands for no item, two stand for one, or one is missing; the message names them.
        ConfigError: The source cannot be matched in this way.
    """
    wanted = [(sample.id, seed) for sample in samples for seed in seeds]
    if not wanted or len(set(wanted)) < len(wanted):
        raise ConfigError(
            f"`videos` are to be matched to {len(samples)} items and the seeds {list(seeds)!r}; expected "
            "at least one of both and none twice; correct the suite or --seeds."
        )
    everything = samples if known is None else known
    all_seeds = [*dict.fromkeys((*(known_seeds or ()), *seeds))]
    videos = find_videos(source, allow_missing=allow_missing)
    if match == "order":
        order = [(sample.id, seed) for sample in everything for seed in (known_seeds or seeds)]
        readings = _in_order(source, videos, order)
    else:
        index = NameIndex(everything, all_seeds, unnumbered_seed=seeds[0])
        readings = _by_name(source, videos, index)
    chosen = _one_each(source, readings)
    pairs = set(wanted)
    present = {
        key: video for key, video in chosen.items() if key in pairs and (video.row is None or video.path.exists())
    }
    missing = tuple(key for key in wanted if key not in present)
    _refuse_second_readings(source, readings, set(missing))
    if missing and not (allow_missing and present):
        raise _missing_videos(source, missing, len(wanted))
    return VideoMatch(clips={key: video_clip(present[key], fps) for key in wanted if key in present}, missing=missing)


Readings = list[tuple[FoundVideo, list[Key]]]
"""Each video with what it can stand for, the best reading first."""


def _in_order(source: Path, videos: Sequence[FoundVideo], order: Sequence[Key]) -> Readings:
    if not source.is_dir():
        raise ConfigError(
            f"`{source}` names its videos itself; expected a folder of numbered files for --match order; "
            "leave --match out."
        )
    has_files = any(video.path.is_file() for video in videos)
    numbered = [video for video in videos if video.path.is_file() or not has_files]
    places = numbered_positions([video.stem for video in numbered], len(order))
    return [(video, [order[places[video.stem]]]) for video in numbered]


def _by_name(source: Path, videos: Sequence[FoundVideo], index: NameIndex) -> Readings:
    readings: Readings = []
    unmatched: list[str] = []
    beside_files = any(video.path.is_file() for video in videos)
    for video in videos:
        found = _readings(video, index)
        if found:
            readings.append((video, found))
        elif not (video.path.is_dir() and beside_files and video.row is None):
            unmatched.append(index.explain(_shown_name(video)))
    if unmatched:
        more = f", and {len(unmatched) - _SHOWN} more" if len(unmatched) > _SHOWN else ""
        raise DataError(
            f"`{source}` has {len(unmatched)} video(s) that match no item: "
            f"{', '.join(unmatched[:_SHOWN])}{more}; expected names such as id.mp4, id-seed.mp4 or "
            "prompt-index.mp4; rename or remove them, or give a manifest."
        )
    return readings


def _shown_name(video: FoundVideo) -> str:
    if video.row is not None:
        return video.row.id if video.row.seed is None else f"{video.row.id}-{video.row.seed}"
    return video.stem if video.prompt is None else f"{video.prompt}-{video.index}"


def _readings(video: FoundVideo, index: NameIndex) -> list[Key]:
    if video.row is not None:
        return index.by_id(video.row.id, video.row.seed)
    if video.prompt is not None:
        return index.by_prompt(video.prompt, video.index)
    return index.readings(video.stem)


def _one_each(source: Path, readings: Readings) -> dict[Key, FoundVideo]:
    chosen: dict[Key, FoundVideo] = {}
    for video, keys in readings:
        earlier = chosen.setdefault(keys[0], video)
        if earlier is not video:
            raise _two_videos(source, earlier, video, keys[0])
    return chosen


def _two_videos(source: Path, left: FoundVideo, right: FoundVideo, key: Key) -> DataError:
    """Return the error for two videos that stand for one item and seed."""
    return DataError(
        f"`{source}` has two videos for item {shortened(key[0])} with seed {key[1]}: "
        f"{shortened(left.path.name)} and {shortened(right.path.name)}; expected one; remove or rename "
        "one, or give a manifest."
    )


def _refuse_second_readings(source: Path, readings: Readings, missing: set[Key]) -> None:
    """Refuse a name that was read as one item while another that it also fits has no video."""
    for video, keys in readings:
        for other in keys[1:]:
            if other in missing:
                raise DataError(
                    f"`{source}`: {shortened(video.path.name)} can be item {shortened(keys[0][0])} with "
                    f"seed {keys[0][1]} or item {shortened(other[0])} with seed {other[1]}, which has no "
                    "other video; expected a name that fits one item; give a manifest."
                )


def _missing_videos(source: Path, missing: Sequence[Key], planned: int, others: Iterable[str] = ()) -> DataError:
    guess = nearest(missing[0][0], others)
    hint = f"; {shortened(guess)} is there and no other system has it" if guess else ""
    return DataError(
        f"`{source}` lacks {len(missing)} of {planned} videos: {_listed(missing)}{hint}; expected one of "
        "each; add them, or go on without them with --allow-missing, which counts them."
    )


def _listed(keys: Sequence[Key]) -> str:
    """Return the first few pairs as text, and how many more there are."""
    shown = ", ".join(f"{shortened(name)} (seed {seed})" for name, seed in keys[:_SHOWN])
    return shown + (f", and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")


def custom_items(
    sources: Sequence[Path], *, fps: float | None = None, allow_missing: bool = False
) -> tuple[list[Sample], list[tuple[str, VideoMatch]]]:
    """Make items of the videos themselves: without a suite, every video is an item.

    Several sources are several systems. Their videos are matched by file name without suffix, or by the id of
    a manifest. Only manifests bring prompts, images, labels and ground truth; what one leaves out another may
    give.

    Args:
        sources: Folders, manifests, VBench lists or videos.
        fps: Frame rate of folders of frames that have none in the manifest.
        allow_missing: Accept items that some systems lack.

    Returns:
        The items, and for each source its name and its clips.

    Raises:
        DataError: A source cannot be read, two of its videos are one item, systems have different items, or
            manifests disagree about an item.
        ConfigError: There is no source, or one is given twice.
    """
    names = system_names(sources)
    chosen: list[dict[Key, FoundVideo]] = []
    for source in sources:
        videos: dict[Key, FoundVideo] = {}
        found = find_videos(source, allow_missing=allow_missing)
        has_files = any(video.path.is_file() for video in found)
        for video in found:
            if has_files and video.row is None and video.path.is_dir():
                continue  # beside videos, a folder of images is more likely theirs than a clip
            key = _custom_key(source, video)
            earlier = videos.setdefault(key, video)
            if earlier is not video:
                raise _two_videos(source, earlier, video, key)
        chosen.append(videos)
    wanted = [*dict.fromkeys(key for videos in chosen for key in videos)]
    present = [
        {key: video for key, video in videos.items() if video.row is None or video.path.exists()} for videos in chosen
    ]
    for source, videos in zip(sources, present, strict=True):
        missing = [key for key in wanted if key not in videos]
        if missing and not (allow_missing and videos):
            others = {key for other in present if other is not videos for key in other}
            alone = [name for name, seed in videos if (name, seed) not in others]
            raise _missing_videos(source, missing, len(wanted), alone)
    samples = _custom_samples(sources, chosen, wanted)
    matches = [
        VideoMatch(
            clips={key: video_clip(videos[key], fps) for key in wanted if key in videos},
            missing=tuple(key for key in wanted if key not in videos),
        )
        for videos in present
    ]
    return samples, list(zip(names, matches, strict=True))


def _custom_key(source: Path, video: FoundVideo) -> Key:
    if video.row is not None:
        return video.row.id, video.row.seed or 0
    name = same_spelling(video.stem)
    wrong = check_id(name)
    if wrong:
        raise DataError(
            f"`{source}`: {shortened(video.path.name)} cannot be the name of an item; expected {wrong}; "
            "rename the file, or give a manifest with ids."
        )
    return name, 0


def _custom_samples(
    sources: Sequence[Path], chosen: Sequence[Mapping[Key, FoundVideo]], wanted: Sequence[Key]
) -> list[Sample]:
    samples: dict[str, Sample] = {}
    origins: dict[str, str] = {}
    for source, videos in zip(sources, chosen, strict=True):
        for (name, _), video in videos.items():
            if video.row is not None:
                new, origin = sample_of(video.row), video.row.where
            else:
                new, origin = Sample(id=name, prompt=video.prompt), f"`{source}`"
            samples[name] = _merged(samples[name], new, origins[name], origin) if name in samples else new
            origins.setdefault(name, origin)
    return [samples[name] for name in dict.fromkeys(name for name, _ in wanted)]


def _merged(left: Sample, right: Sample, left_origin: str, right_origin: str) -> Sample:
    """Join what two sources say of one item; None and empty mean that a source does not say."""
    others = _inputs(right)
    for column, inputs in _inputs(left).items():
        other = others[column]
        if inputs and other and inputs != other:
            shown = (
                f"{shortened(inputs)} and {shortened(other)}" if column in ("prompt", "label") else "different files"
            )
            raise DataError(
                f"{left_origin} and {right_origin} disagree about `{column}` of item "
                f"{shortened(left.id)}: {shown}; expected the same inputs for every system; make them "
                "equal."
            )
    mask = left.condition.region_mask or right.condition.region_mask
    keyframes = left.condition.keyframes or right.condition.keyframes
    metadata = {key: value for key, value in left.metadata.items() if right.metadata.get(key, value) == value}
    return replace(
        left,
        prompt=left.prompt or right.prompt,
        label=left.label or right.label,
        condition=replace(left.condition, keyframes=keyframes, region_mask=mask),
        ground_truth=left.ground_truth or right.ground_truth,
        metadata=MappingProxyType({**metadata, **{k: v for k, v in right.metadata.items() if k not in left.metadata}}),
    )


def _inputs(sample: Sample) -> dict[str, Any]:
    """Return what must be equal, by content: two manifests may name two copies of one file."""
    mask = sample.condition.region_mask
    return {
        "prompt": sample.prompt,
        "label": sample.label,
        "keyframes": [(position, image.digest) for position, image in sample.condition.keyframes],
        "ground_truth": sample.ground_truth and (sample.ground_truth.digest, sample.ground_truth.fps),
        "region_mask": mask and sha256_of_file(mask),
    }


def system_names(sources: Sequence[Path]) -> list[str]:
    """Name each source: a folder by its name, a file by its stem, with parent folders where names are equal.

    Raises:
        ConfigError: There is no source, or one is given twice.
    """
    whole = [Path(os.path.abspath(source)) for source in sources]  # noqa: PTH100 - resolve() would follow links
    if not whole or len(set(whole)) < len(whole):
        raise ConfigError(
            f"`--videos` got {[str(source) for source in sources]!r}; expected one or more different "
            "folders, manifests or videos; give each system once."
        )
    parts = [(*path.parent.parts[1:], path.name if path.is_dir() else path.stem) for path in whole]
    depth = 1
    while depth < max(map(len, parts)) and len({part[-depth:] for part in parts}) < len(parts):
        depth += 1
    names = ["/".join(part[-depth:]) or "/" for part in parts]
    return names if len(set(names)) == len(names) else [str(path) for path in whole]
