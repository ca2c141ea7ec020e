"""What the first bytes of an image or a clip say is wrong with it; nothing is decoded and FFmpeg is not loaded."""

import os
import stat
import warnings
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from anisora.harness.media.containers import missing_bytes, sniff

__all__ = ["clip_problem", "image_problem"]

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP")


def image_problem(path: Path) -> str | None:
    """Return why an image cannot be one, or None: empty, no header of PNG, JPEG, WebP or BMP, a header that is cut."""
    try:
        with _opened(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            with PillowImage.open(file, formats=_FORMATS):
                return None
    except UnidentifiedImageError:
        return "has no header of PNG, JPEG, WebP or BMP"
    except _EmptyFileError:
        return "has 0 bytes"
    except PillowImage.DecompressionBombError:
        return "has a header that asks for too many pixels"
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise of broken data
        return f"cannot be read ({' '.join(str(error).split())[:80]})"


def clip_problem(path: Path) -> str | None:
    """Return why a file cannot be a whole clip, or None: empty, no container that is read here, a part missing."""
    try:
        with _opened(path) as file:
            container = sniff(file)
            if container is None:
                return "does not begin like MP4, MOV, Matroska, WebM, AVI or GIF"
            missing = missing_bytes(file, container)
    except _EmptyFileError:
        return "has 0 bytes"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return f"ends {missing} bytes too early" if missing else None


class _EmptyFileError(Exception):
    pass


def _opened(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block
    file = open(descriptor, "rb")  # noqa: PTH123, SIM115 - from a descriptor; the caller closes it
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        file.close()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file")
        raise _EmptyFileError
    return file
