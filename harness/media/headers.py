"""What the first bytes of an image or a clip say is wrong with it; nothing is decoded and FFmpeg is not loaded."""

import warnings
from pathlib import Path
from typing import Final

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.containers import missing_bytes, sniff
from anisora.harness.media.process import DecodeLimits
from anisora.harness.media.regular_files import open_regular_file

__all__ = ["clip_problem", "image_problem", "image_size"]

_MAX_BYTES: Final = DecodeLimits().max_file_bytes
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP")


def image_problem(path: Path) -> str | None:
    """Return why an image cannot be one, or None: empty, too large, no header of an image, or a cut one."""
    try:
        image_size(path)
    except VideoUnreadable as error:
        return error.detail
    except UnidentifiedImageError:
        return "it has no header of PNG, JPEG, WebP or BMP."
    except PillowImage.DecompressionBombError:
        return "its header asks for too many pixels."
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise of broken data
        return f"Pillow says {str(error)!r}."
    return None


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) as the header says of an image that has no problem; of others, whatever is raised."""
    with open_regular_file(path, _MAX_BYTES) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        with PillowImage.open(file, formats=_FORMATS) as image:
            return image.size


def clip_problem(path: Path) -> str | None:
    """Return why a file cannot be a whole clip, or None: empty, too large, no container read here, a part missing."""
    try:
        with open_regular_file(path, _MAX_BYTES) as file:
            container = sniff(file)
            if container is None:
                return "it does not begin like MP4, MOV, Matroska, WebM, AVI or GIF."
            missing = missing_bytes(file, container)
    except VideoUnreadable as error:
        return error.detail
    return f"it ends {missing} bytes too early." if missing else None
