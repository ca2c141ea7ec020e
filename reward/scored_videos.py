"""Clips, stills and folders that are named on a command line, as items that a reward scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, VideoUnreadable
from anisora.harness.inputs.manifest import sample_of
from anisora.harness.inputs.paths import missing_path, path_exists, unreadable_path
from anisora.harness.inputs.video_sources import FoundVideo, find_videos, video_clip
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.folders import IMAGE_SUFFIXES
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Condition, FrameArray, Generation, Image, Sample

__all__ = ["NamedVideo", "conditioning", "named_videos"]

_STILL_FPS: Final = 1.0
"""A still has no frame rate, and nothing that is said of one frame depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedVideo:
    """A video that was named, alone or by the folder or manifest that holds it."""

    name: str
    item: Generation | None
    """None where a still cannot be read."""
    is_still: bool = False
    problem: str = ""
    """Why a still cannot be read."""


def conditioning(image: Path | None) -> Condition:
    """Return the condition of videos that were made from an image: as their first frame.

    Raises:
        DataError: It is not there, or cannot be read.
    """
    if image is None:
        return Condition()
    if not image.is_file():
        raise missing_path(image, "an image")
    try:
        return Condition(keyframes=((0.0, Image(path=image, digest=sha256_of_file(image))),))
    except OSError as error:
        raise unreadable_path(image, error) from error


def named_videos(
    sources: Sequence[Path], *, prompt: str | None, condition: Condition, fps: float | None, model: str
) -> list[NamedVideo]:
    """Find the videos of every source, in the order given.

    Args:
        sources: Clips, stills, folders of clips, folders of frames, manifests.
        prompt: Of those that have none in a manifest.
        condition: Of those that have no image in a manifest.
        fps: Frame rate of folders of frames that carry none.
        model: What to call whatever made them.

    Raises:
        DataError: A source does not exist, or holds no video.
        ConfigError: There is no source.
    """
    if not sources:
        raise ConfigError("`VIDEO` is missing; expected clips, stills, folders of clips or manifests.")
    for source in sources:
        if not path_exists(source):
            raise missing_path(source, "a clip, a still, a folder of clips or a manifest")
    found: list[NamedVideo] = []
    with DecoderPool() as pool:
        for source in sources:
            if source.is_file() and source.suffix.lower() in IMAGE_SUFFIXES:
                found.append(_still(source, Sample(id=str(source), prompt=prompt, condition=condition), pool, model))
                continue
            for video in find_videos(source):
                sample = _sample(video, prompt, condition)
                item = Generation(sample=sample, clip=video_clip(video, fps), model=model)
                found.append(NamedVideo(name=str(video.path), item=item))
    return found


def _sample(video: FoundVideo, prompt: str | None, condition: Condition) -> Sample:
    """Return the item of a video; what its own source says of it comes first."""
    if video.row is None:
        own = video.prompt if video.prompt is not None else prompt
        return Sample(id=str(video.path), prompt=own, condition=condition)
    sample = sample_of(video.row)
    keyframes = sample.condition.keyframes or condition.keyframes
    own = sample.prompt if sample.prompt is not None else prompt
    return replace(sample, prompt=own, condition=replace(sample.condition, keyframes=keyframes))


def _still(path: Path, sample: Sample, pool: DecoderPool, model: str) -> NamedVideo:
    """Return a still as a clip of one frame."""
    try:
        pixels = pool.read_image(path)
    except VideoUnreadable as error:
        return NamedVideo(name=str(path), item=None, is_still=True, problem=str(error))
    frames = FrameArray(frames=pixels[None], fps=_STILL_FPS)
    return NamedVideo(name=str(path), item=Generation(sample=sample, clip=frames, model=model), is_still=True)
