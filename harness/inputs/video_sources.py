"""Lists the videos of a source: a folder, a manifest, VBench's list, or one file.

Nothing is decided here about what a video stands for, and nothing is decoded.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.json_lists import read_json_objects
from anisora.harness.inputs.manifest import ManifestRow, clip_at, read_manifest
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path
from anisora.harness.inputs.tabular import TABLE_SUFFIXES, is_table
from anisora.harness.inputs.video_names import split_number
from anisora.harness.media.folders import VIDEO_SUFFIXES, frame_paths, natural_order
from anisora.harness.types import Clip

__all__ = ["FoundVideo", "find_videos", "read_full_info", "video_clip"]

_FULL_INFO: Final = "_full_info.json"
_FULL_INFO_HOLDS: Final = "VBench's list of objects with prompt_en, dimension and video_list"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundVideo:
    """A video before it is known what it stands for."""

    path: Path
    stem: str
    """The name that is matched: of a file without its suffix, of a folder of frames whole."""
    prompt: str | None = None
    """From VBench's list."""
    index: int = 0
    """Which of a prompt's videos, from VBench's list."""
    fps: float | None = None
    row: ManifestRow | None = None
    """The manifest row, if a manifest names the video."""


def video_clip(video: FoundVideo, fps: float | None) -> Clip:
    """Return the hashed clip of a video; ``fps`` serves folders of frames that have no rate of their own."""
    return clip_at(video.path, video.fps or (fps if video.path.is_dir() else None))


def find_videos(source: Path, *, allow_missing: bool = False) -> list[FoundVideo]:
    """List the videos of a source, whatever its form, in natural order (a manifest in its own).

    Args:
        source: A manifest, a folder, VBench's ``*_full_info.json``, or one video.
        allow_missing: Keep the rows of a manifest whose video does not exist.

    Raises:
        DataError: The source does not exist, holds no video, or cannot be read.
    """
    if not path_exists(source):
        raise missing_path(source, "a folder of videos, a manifest or a video")
    if source.is_dir():
        return [FoundVideo(path=path, stem=path.name if path.is_dir() else path.stem) for path in _in_folder(source)]
    if source.name.lower().endswith(_FULL_INFO):
        return read_full_info(source)
    if is_table(source):
        return _in_manifest(source, allow_missing=allow_missing)
    if source.suffix.lower() in VIDEO_SUFFIXES and source.is_file():
        return [FoundVideo(path=source, stem=source.stem)]
    raise DataError(
        f"`{source}` got the suffix {source.suffix!r}; expected a folder of videos, a manifest "
        f"({', '.join(TABLE_SUFFIXES)}), VBench's *{_FULL_INFO}, or a video "
        f"({', '.join(sorted(VIDEO_SUFFIXES))}); convert it."
    )


def _in_folder(folder: Path) -> list[Path]:
    try:
        entries = sorted(
            (path for path in folder.iterdir() if not path.name.startswith(".")),
            key=lambda path: natural_order(path.name),
        )
        files = [path for path in entries if _is_video(path) and not path.is_dir()]
        folders = [path for path in entries if path.is_dir()]
        frames = [path for path in folders if frame_paths(path)]
        is_frames = bool(frame_paths(folder))
        inner = next((path for path in folders if any(_is_video(file) for file in path.iterdir())), None)
    except OSError as error:
        raise unreadable_path(folder, error) from error
    for path in files:
        if not path.is_file():
            raise DataError(f"`{path}` is a broken link or no regular file; expected a video; remove it.")
    if files or frames:
        # Beside videos, a folder of images may be anything: it counts only where its name says so.
        return files + frames
    if is_frames:
        return [folder]
    hint = f"did you mean `{inner}`?" if inner else "give the folder that holds the videos, or a manifest."
    suffixes = ", ".join(sorted(VIDEO_SUFFIXES))
    raise DataError(f"Folder `{folder}` holds no video ({suffixes}) and no folder of frames; {hint}")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _in_manifest(source: Path, *, allow_missing: bool) -> list[FoundVideo]:
    videos = []
    for row in read_manifest(source, allow_missing=allow_missing):
        if row.video is None:
            raise DataError(
                f"{row.where}: `video` of id {shortened(row.id)} is empty; expected the path of a video; "
                "add it, or remove the line."
            )
        videos.append(FoundVideo(path=row.video, stem=row.video.stem, fps=row.fps, row=row))
    return videos


def read_full_info(source: Path) -> list[FoundVideo]:
    """Read VBench's ``*_full_info.json``: a list of ``{"prompt_en", "dimension", "video_list"}``.

    Relative paths are relative to the file's folder or, as VBench writes them, to the working directory.

    Raises:
        DataError: It is not such a list, or a video does not exist.
    """
    videos: dict[tuple[str, str], FoundVideo] = {}
    for number, entry in enumerate(read_json_objects(source, _FULL_INFO_HOLDS)):
        where = f"`{source}` entry {number}"
        prompt, paths = entry.get("prompt_en"), entry.get("video_list")
        if not isinstance(prompt, str) or not prompt:
            raise DataError(f"{where}: `prompt_en` got {shortened(prompt)}; expected the prompt; add it.")
        if not isinstance(paths, list) or not paths:
            raise DataError(
                f"{where}: `video_list` got {shortened(paths)}; expected a list of paths; let VBench "
                "write the file for a folder of videos, or give the folder."
            )
        for position, text in enumerate(paths):
            path = _listed_video(source, where, text)
            parts = split_number(path.stem)
            # One prompt stands in several entries, one for each group of dimensions, with the same videos.
            videos.setdefault(
                (prompt, str(path)),
                FoundVideo(
                    path=path,
                    stem=path.stem,
                    prompt=prompt,
                    index=parts[1] if parts else position,
                ),
            )
    return list(videos.values())


def _listed_video(source: Path, where: str, text: object) -> Path:
    if not isinstance(text, str) or not text or "\0" in text or Path(text).suffix.lower() not in VIDEO_SUFFIXES:
        raise DataError(
            f"{where}: `video_list` got {shortened(text)}; expected paths that end in "
            f"{', '.join(sorted(VIDEO_SUFFIXES))}; correct it."
        )
    for path in (source.parent / text, Path(text)):
        if path.is_file():
            return path
    raise DataError(
        f"{where}: video {shortened(text)} is neither in `{source.parent}` nor in the working directory; "
        "expected an existing file; correct the path."
    )
