"""The files of a benchmark folder by the id that they belong to, wherever below the folder they lie."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import shortened, unreadable_path
from anisora.harness.inputs.video_names import same_spelling
from anisora.harness.media.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_order

__all__ = ["FoundFiles", "find_files"]

_LIST_SUFFIX: Final = ".txt"
_MASK: Final = "-mask"
_NOT_OURS: Final = frozenset({"__MACOSX"})
"""Folders that packing programs leave behind, with copies of every name."""


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

    def __iter__(self) -> Iterator[Path]:
        """Yield every file once."""
        for found in (*self.clips.values(), *self.images.values(), *self.masks.values(), self.texts):
            yield from found


def find_files(root: Path) -> FoundFiles:
    """List the clips, images and texts below a folder; links are followed, hidden names are passed over.

    Raises:
        DataError: A folder cannot be read, or a name is not UTF-8 and could stand in no manifest.
    """
    found = FoundFiles(clips={}, images={}, masks={}, texts=[])
    for path in sorted(_files_below(root), key=lambda path: natural_order(str(path))):
        suffix = path.suffix.lower()
        stem = same_spelling(path.stem)
        if suffix in VIDEO_SUFFIXES:
            found.clips.setdefault(stem, []).append(path)
        elif suffix in IMAGE_SUFFIXES and stem.endswith(_MASK):
            found.masks.setdefault(stem.removesuffix(_MASK), []).append(path)
        elif suffix in IMAGE_SUFFIXES:
            found.images.setdefault(stem, []).append(path)
        elif suffix == _LIST_SUFFIX:
            found.texts.append(path)
    for path in found:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{shortened(str(path))} is no name in UTF-8; expected one that a manifest can hold; rename it."
            ) from None
    return found


def _files_below(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise unreadable_path(Path(error.filename), error) from error

    seen: set[Path] = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=refuse):
        real = Path(folder).resolve()
        folders[:] = [] if real in seen else [name for name in folders if _matters(name)]
        if real not in seen:
            yield from (Path(folder, name) for name in names if _matters(name))
        seen.add(real)


def _matters(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_OURS
