"""Opening files that come from users: only regular ones, none that is empty, none that is too large."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from anisora.harness.errors import VideoUnreadable

__all__ = ["open_regular_file"]


def open_regular_file(path: Path, max_bytes: int) -> BinaryIO:
    """Open a file for reading, after checking that it is one and not too large.

    Raises:
        VideoUnreadable: It is missing, no regular file, unreadable, empty or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block
    except OSError as error:
        raise VideoUnreadable(path, "missing", f"{error.strerror}; expected a readable file.") from error
    file = open(descriptor, "rb")  # noqa: PTH123, SIM115 - from a descriptor; the caller closes it
    status = os.fstat(descriptor)
    problem: tuple[str, str] | None = None
    if not stat.S_ISREG(status.st_mode):
        problem = "not-a-video", "it is no regular file."
    elif status.st_size == 0:
        problem = "no-frames", "the file is empty."
    elif status.st_size > max_bytes:
        problem = "too-large", f"it has {status.st_size} bytes; expected at most {max_bytes}."
    if problem:
        file.close()
        raise VideoUnreadable(path, *problem)
    return file
