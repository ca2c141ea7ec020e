"""Which files are media by their name, and in which order a folder's frames come."""

import re
from pathlib import Path
from typing import Final

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "frame_paths", "natural_order"]

VIDEO_SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".gif", ".avi"})
"""In lower case, with the dot. What a file really is, its first bytes say."""
IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
"""In lower case, with the dot."""


def natural_order(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return a sort key by which ``frame2`` comes before ``frame10``; ties are broken by the name itself."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts), name


def frame_paths(folder: Path) -> list[Path]:
    """Return the images of a folder in natural order, without hidden files and other suffixes."""
    images = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(images, key=lambda path: natural_order(path.name))
