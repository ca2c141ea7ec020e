"""The files of a benchmark folder by the id that they belong to, wherever below the folder they lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.datasets.importing.found_files import files_below
from anisora.harness.inputs.video_names import same_spelling
from anisora.harness.media.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_order

__all__ = ["FoundFiles", "find_files"]

_LIST_SUFFIX: Final = ".txt"
_MASK: Final = "-mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """All files that matter, in natural order."""

    clips: dict[str, list[Path]]
    """By stem."""
    images: dict[str, list[Path]]
    """By stem."""
    masks: dict[str, list[Path]]
    """By the id that they belong to: images named ``<id>-mask``."""
    texts: list[Path]
    """Which of them are lists of prompts, their contents say."""

    @property
    def stems(self) -> list[str]:
        """Every name of a clip or an image, in natural order."""
        return sorted({*self.clips, *self.images}, key=natural_order)


def find_files(root: Path) -> FoundFiles:
    """List the clips, images and texts below a folder; links are followed, hidden names are passed over.

    Raises:
        DataError: A folder cannot be read, or a name is not UTF-8 and could stand in no manifest.
    """
    found = FoundFiles(clips={}, images={}, masks={}, texts=[])
    for path in files_below(root, VIDEO_SUFFIXES | IMAGE_SUFFIXES | {_LIST_SUFFIX}):
        suffix = path.suffix.lower()
        stem = same_spelling(path.stem)
        if suffix in VIDEO_SUFFIXES:
            found.clips.setdefault(stem, []).append(path)
        elif suffix in IMAGE_SUFFIXES and stem.endswith(_MASK):
            found.masks.setdefault(stem.removesuffix(_MASK), []).append(path)
        elif suffix in IMAGE_SUFFIXES:
            found.images.setdefault(stem, []).append(path)
        else:
            found.texts.append(path)
    return found
