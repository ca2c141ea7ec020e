"""Takes one file out of a zip file that a stranger made: the member that a ledger names, within its size."""

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Final

from anisora.harness.downloading import KEPT_FREE, DownloadError
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.weights import WeightFile

__all__ = ["write_member"]

_PIECE: Final = 1 << 20
_MOST_RATIO: Final = 1000
"""What a member may have of its compressed size, where the ledger does not tell its size."""


def write_member(archive: Path, member: str, file: WeightFile, part: Path) -> str:
    """Write a member of a zip file to ``part`` and compare it with the ledger.

    Args:
        archive: The zip file.
        member: The exact name of the member.
        file: What the ledger knows of it.
        part: Where it goes; the archive has no say in that.

    Returns:
        The sha256.

    Raises:
        DownloadError: There is no such member, or it is a link, too large, damaged or not the file of the ledger.
        OSError: The part cannot be written.
    """
    try:
        _write(archive, member, file, part)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, UnicodeDecodeError, EOFError, RuntimeError) as error:
        raise DownloadError(f"gave no zip file that can be read ({error}); it was removed") from error
    digest = sha256_of_file(part)
    if file.sha256 is not None and digest != file.sha256:
        raise DownloadError(f"has {member!r} of sha256 {digest}, expected {file.sha256}; it was removed")
    return digest


def _write(archive: Path, member: str, file: WeightFile, part: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        info = _member(opened, member)
        most = file.bytes if file.bytes is not None else _MOST_RATIO * info.compress_size
        if info.file_size > most or info.file_size != (file.bytes or info.file_size):
            raise DownloadError(f"has {member!r} of {info.file_size} bytes, expected {most}; it was removed")
        if info.file_size + KEPT_FREE > shutil.disk_usage(archive.parent).free:
            raise DownloadError(f"has {member!r} of {info.file_size} bytes, for which the disk has no room")
        with opened.open(info) as source, part.open("wb") as target:
            written = 0
            while piece := source.read(_PIECE):
                written += len(piece)
                if written > info.file_size:
                    raise DownloadError(f"has {member!r} of more than the {info.file_size} bytes that it declares")
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    found = [info for info in archive.infolist() if info.filename == name]
    if len(found) != 1:
        raise DownloadError(f"is a zip file that has {name!r} {len(found)} times, expected once")
    kind = stat.S_IFMT(found[0].external_attr >> 16)
    if found[0].is_dir() or kind not in (0, stat.S_IFREG):
        raise DownloadError(f"has {name!r} as a link or folder, expected a file")
    return found[0]
