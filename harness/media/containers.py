"""What a file is by its first bytes, and whether all of it is there.

FFmpeg would try every format it knows, playlists that name other files among them. So the format is settled
here and forced on it. It also takes a file that ends too early for a short one; the sizes in the file's own
structure tell.
"""

import os
from typing import BinaryIO, Final, Literal

__all__ = ["Container", "announced_size", "gif_canvas", "missing_bytes", "sniff"]

Container = Literal["mov", "matroska", "gif", "avi"]

_MOV_BOXES: Final = frozenset(
    {
        b"ftyp",
        b"moov",
        b"mdat",
        b"wide",
        b"free",
        b"skip",
        b"moof",
        b"styp",
        b"sidx",
        b"pnot",
        b"mfra",
        b"uuid",
        b"meta",
    }
)
_MOV_STARTS: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"


def sniff(file: BinaryIO) -> Container | None:
    """Return the container a file starts like, whatever its name says; None for anything else."""
    file.seek(0)
    head = file.read(16)
    if head[4:8] in _MOV_STARTS:
        return "mov"
    if head.startswith(_EBML):
        return "matroska"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    return None


def missing_bytes(file: BinaryIO, container: Container) -> int:
    """Return how many bytes the file's structure announces beyond its end; 0 for a whole file."""
    size = file.seek(0, os.SEEK_END)
    return max(0, announced_size(file, container, size) - size)


def announced_size(file: BinaryIO, container: Container, size: int) -> int:
    """Return the size the file's structure announces; what follows the structure does not count."""
    match container:
        case "mov":
            return _end_of_boxes(file, size)
        case "matroska":
            return _end_of_segment(file, size)
        case "avi":
            return _end_of_riff(file)
        case "gif":
            return _end_of_gif(file, size)


def gif_canvas(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) of a GIF as its header says."""
    file.seek(6)
    header = file.read(4).ljust(4, b"\0")
    return int.from_bytes(header[:2], "little"), int.from_bytes(header[2:], "little")


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if kind not in _MOV_BOXES or length in range(1, 8):
            break  # trailing bytes that are no box
        if length == 0:  # up to the end of the file
            return size
        position += length
    return position


def _end_of_segment(file: BinaryIO, size: int) -> int:
    position = 0
    for expected in (_EBML, _SEGMENT):
        file.seek(position)
        header = file.read(12)
        if header[:4] != expected:
            return 0
        first = header[4] if len(header) > 4 else 0
        width = 9 - first.bit_length()  # 1..8; 9 where no bit is set
        if width > 8 or len(header) < 4 + width:
            return 0
        value = int.from_bytes(header[4 : 4 + width], "big") & ((1 << (7 * width)) - 1)
        if value == (1 << (7 * width)) - 1:  # unknown, as live streams have it
            return size
        position += 4 + width + value
        if expected == _SEGMENT:
            return position
        if position > size:
            return position
    return position


def _end_of_riff(file: BinaryIO) -> int:
    file.seek(4)
    length = int.from_bytes(file.read(4), "little")
    return 8 + length if length else 0


def _end_of_gif(file: BinaryIO, size: int) -> int:
    """Walk the blocks up to the trailer; a file without one ends one byte too early, at least."""
    file.seek(10)
    packed = (file.read(3) or b"\0")[0]
    file.seek(13 + (3 * 2 << (packed & 7) if packed & 0x80 else 0))
    while introducer := file.read(1):
        if introducer == b";":
            return file.tell()
        if introducer == b"!":
            file.seek(1, os.SEEK_CUR)
        elif introducer == b",":
            descriptor = file.read(9)
            packed = descriptor[8] if len(descriptor) == 9 else 0
            file.seek((3 * 2 << (packed & 7) if packed & 0x80 else 0) + 1, os.SEEK_CUR)
        else:
            return file.tell()  # not a block: for the decoder to judge
        while length := file.read(1):
            if length == b"\0":
                break
            file.seek(length[0], os.SEEK_CUR)
        else:
            break
    return max(size, file.tell()) + 1
