"""Reads a zip file that a stranger made: known members only, each within its limits, nothing written to disk."""

import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from anisora.harness.errors import DataError

__all__ = ["MOST_BYTES", "MOST_MEMBER_BYTES", "read_archive"]

MOST_MEMBER_BYTES: Final = 64 << 20
"""Of one file, decompressed."""
MOST_BYTES: Final = 200 << 20
"""Of all files, decompressed; and of the zip file itself."""

_MOST_RATIO: Final = 100
_RATIO_FROM_BYTES: Final = 1 << 20
"""Small files may be compressed as far as they go."""
_MOST_DIRECTORY_BYTES: Final = 64 << 10
_END: Final = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR_BYTES: Final = 20
_PIECE: Final = 64 << 10
_NEXT: Final = "make the bundle again with: anisora leaderboard bundle"


def read_archive(path: Path, members: frozenset[str]) -> dict[str, bytes]:
    """Return {name: content} of a zip file that holds exactly these members.

    What the directory of the file declares is checked before anything is decompressed, and again while it is.

    Args:
        path: The zip file.
        members: The names it must have, and no other.

    Raises:
        DataError: It cannot be read, is no zip file, holds other members, or one that is too large, compressed
            beyond reason, a link, encrypted, or not what its header says.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DataError(f"Bundle `{path}` is no file; expected a file such as run.anisora.zip; correct the path.")
        if size > MOST_BYTES:
            raise DataError(f"Bundle `{path}` has {size:,} bytes; expected at most {MOST_BYTES:,}; {_NEXT}.")
        with path.open("rb") as file:
            _check_ends(path, file, size)
            with zipfile.ZipFile(file) as archive:
                _check_members(path, archive, members)
                return {name: _content(path, archive, name) for name in sorted(members)}
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"Bundle `{path}` cannot be read: {reason}; expected a zip file; correct the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"Bundle `{path}` has a member whose name is not UTF-8 ({error.object[:40]!r}); expected only "
            f"{', '.join(sorted(members))}; {_NEXT}."
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"Bundle `{path}` is no whole zip file: {error}; {_NEXT}.") from error


def _check_ends(path: Path, file: BinaryIO, size: int) -> None:
    """Refuse what is cut off, or whose directory would fill the memory before a member can be looked at."""
    start = file.read(4)
    tail_bytes = _END.size + _ZIP64_LOCATOR_BYTES
    file.seek(max(0, size - tail_bytes))
    tail = file.read(tail_bytes)
    file.seek(0)
    if start != b"PK\x03\x04" or size < _END.size:
        raise DataError(
            f"Bundle `{path}` is no zip file (it begins with {start!r}); expected b'PK\\x03\\x04'; {_NEXT}."
        )
    mark, _, _, _, _, directory, _, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\x05\x06" or comment:
        raise DataError(f"Bundle `{path}` does not end as a zip file does: it is cut off, or has a comment; {_NEXT}.")
    if tail.startswith(b"PK\x06\x07") or directory > _MOST_DIRECTORY_BYTES:
        raise DataError(
            f"Bundle `{path}` has a directory of {directory:,} bytes or in the format for huge files; expected a plain "
            f"one of at most {_MOST_DIRECTORY_BYTES:,} bytes; {_NEXT}."
        )


def _check_members(path: Path, archive: zipfile.ZipFile, members: frozenset[str]) -> None:
    seen: set[str] = set()
    total = 0
    for info in archive.infolist():
        name = info.orig_filename
        fault = _fault_of_name(name, seen, members) or _fault_of(info)
        if fault is not None:
            raise DataError(f"Bundle `{path}`: member {_shown(name)} {fault}; {_NEXT}.")
        seen.add(name)
        total += info.file_size
    if total > MOST_BYTES:
        raise DataError(f"Bundle `{path}` declares {total:,} bytes in all; expected at most {MOST_BYTES:,}; {_NEXT}.")
    missing = sorted(members - seen)
    if missing:
        raise DataError(f"Bundle `{path}` lacks the member `{missing[0]}`; {_NEXT}.")


def _fault_of_name(name: str, seen: set[str], members: frozenset[str]) -> str | None:
    if name in seen:
        return "is there twice; expected once"
    if name in members:
        return None
    parts = name.replace("\\", "/").split("/")
    if ".." in parts:
        return "leads out of its folder by `..`; expected a plain name"
    if "\\" in name or name.startswith("/") or ":" in name:
        return "is an absolute path or has a backslash; expected a plain name"
    return f"does not belong into a bundle; expected only {', '.join(sorted(members))}"


def _fault_of(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a special file; expected a plain file"
    if info.flag_bits & 0x41:
        return "is encrypted; expected a plain file"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {info.compress_type}; expected 0 (stored) or 8 (deflate)"
    if info.file_size > MOST_MEMBER_BYTES:
        return f"declares {info.file_size:,} bytes; expected at most {MOST_MEMBER_BYTES:,}"
    if info.file_size > _RATIO_FROM_BYTES and info.file_size > _MOST_RATIO * max(1, info.compress_size):
        return (
            f"declares {info.file_size:,} bytes in {info.compress_size:,}; expected at most {_MOST_RATIO} times as much"
        )
    return None


def _content(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    pieces: list[bytes] = []
    held = 0
    try:
        with archive.open(info) as file:
            # The library hands out no more than the header declares, which was checked: what lies beyond is a fault.
            while piece := file.read(_PIECE):
                held += len(piece)
                pieces.append(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(
            f"Bundle `{path}`: member `{name}` is not the {info.file_size:,} bytes that its header declares: "
            f"{error}; {_NEXT}."
        ) from error
    if held != info.file_size:
        raise DataError(
            f"Bundle `{path}`: member `{name}` has {held:,} bytes, its header declares {info.file_size:,}; {_NEXT}."
        )
    return b"".join(pieces)


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else f"{name[:80]}...")
