"""Ways to break a video file, seeded: the same number gives the same file."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["MUTATIONS", "Mutated", "mutated", "with_external_reference"]


@dataclass(frozen=True)
class Mutated:
    """One broken file."""

    name: str
    data: bytes
    mutation: str


def mutated(number: int, originals: Mapping[str, bytes], other: Path) -> Mutated:
    """Return the file of this number; the mutations take turns.

    Args:
        number: Seed and turn.
        originals: {suffix: a whole file}.
        other: A file that playlists name, and that nobody may open.
    """
    rng = np.random.default_rng(number)
    names = sorted(MUTATIONS)
    mutation = names[number % len(names)]
    suffix = sorted(originals)[int(rng.integers(len(originals)))]
    new_suffix, data = MUTATIONS[mutation](rng, originals, suffix, other)
    return Mutated(f"{number:04d}-{mutation}{new_suffix}", data, mutation)


Mutation = Callable[[np.random.Generator, Mapping[str, bytes], str, Path], tuple[str, bytes]]


def _bit_flips(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    data = np.frombuffer(originals[suffix], np.uint8).copy()
    for position in rng.integers(0, len(data), int(rng.integers(1, 40))):
        data[position] ^= np.uint8(1 << rng.integers(8))
    return suffix, data.tobytes()


def _header_flips(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    data = np.frombuffer(originals[suffix], np.uint8).copy()
    for position in rng.integers(0, min(600, len(data)), int(rng.integers(1, 10))):
        data[position] = rng.integers(256)
    return suffix, data.tobytes()


def _truncation(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    data = originals[suffix]
    return suffix, data[: int(rng.integers(0, len(data)))]


def _wrong_suffix(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    suffixes = [".mp4", ".MKV", ".gif", ".webm", ".mov", ".avi", ".m3u8", ".txt", ""]
    return suffixes[int(rng.integers(len(suffixes)))], originals[suffix]


def _zeroed_block(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    data = bytearray(originals[suffix])
    start = int(rng.integers(0, len(data)))
    length = int(rng.integers(1, 2000))
    data[start : start + length] = bytes(len(data[start : start + length]))
    return suffix, bytes(data)


def _spliced(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    other = originals[sorted(originals)[int(rng.integers(len(originals)))]]
    cut, join = int(rng.integers(0, len(originals[suffix]))), int(rng.integers(0, len(other)))
    return suffix, originals[suffix][:cut] + other[join:]


_SIZE_FIELDS = {
    ".gif": ((b"GIF8", 6),),
    ".mp4": ((b"stsd", 44), (b"tkhd", 80)),
    ".mov": ((b"stsd", 44), (b"stsz", 8)),
    ".avi": ((b"strf", 12), (b"avih", 40)),
    ".webm": ((b"\xb0\x81", 2),),
    ".mkv": ((b"\xb0\x81", 2),),
}


def _header_bomb(rng: np.random.Generator, originals: Mapping[str, bytes], suffix: str, _: Path) -> tuple[str, bytes]:
    """Enormous numbers where the container keeps sizes and counts."""
    data = bytearray(originals[suffix])
    for marker, offset in _SIZE_FIELDS[suffix]:
        at = data.find(marker) + offset
        length = 1 if suffix in (".webm", ".mkv") else 4
        data[at : at + length] = bytes(rng.choice([0x7F, 0xFF, 0x50], length).astype(np.uint8))
    return suffix, bytes(data)


def _playlist(rng: np.random.Generator, _: Mapping[str, bytes], __: str, other: Path) -> tuple[str, bytes]:
    names = [str(other), f"../{other.parent.name}/{other.name}", other.as_uri(), f"concat:{other}|{other}"]
    name = names[int(rng.integers(len(names)))]
    texts = [
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{name}\n#EXT-X-ENDLIST\n",
        f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{name}"\n#EXTINF:9,\n{name}\n#EXT-X-ENDLIST\n',
        f"ffconcat version 1.0\nfile '{name}'\n",
        f'<?xml version="1.0"?><MPD><Period><BaseURL>{name}</BaseURL></Period></MPD>',
        f"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=control:{name}\n",
        f"RIFF\x10\0\0\0AVI {name}",
    ]
    suffixes = [".mp4", ".mkv", ".gif", ".m3u8", ".ffconcat", ".mpd", ".sdp"]
    return suffixes[int(rng.integers(len(suffixes)))], texts[int(rng.integers(len(texts)))].encode()


def _external_reference(
    rng: np.random.Generator, originals: Mapping[str, bytes], _: str, other: Path
) -> tuple[str, bytes]:
    suffix = [".mp4", ".mov"][int(rng.integers(2))]
    return suffix, with_external_reference(originals[suffix], other)


def with_external_reference(data: bytes, other: Path) -> bytes:
    """An MP4 or MOV whose samples are said to lie in another file, by a Macintosh alias with an absolute path.

    Its boxes grow; the samples lie before them and stay where they are.
    """
    path = str(other).encode()
    path += b"\0" * (len(path) % 2)
    alias = bytes(10) + bytes([1]) + b"v".ljust(27, b"\0") + bytes(12)
    alias += bytes([len(other.name)]) + other.name.encode().ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 0, 0)
    alias += bytes(16) + struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    return _grown(data, 0, len(data), [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], entry)


def _grown(data: bytes, start: int, end: int, boxes: list[bytes], entry: bytes) -> bytes:
    """Replace the contents of the innermost box, and set the lengths of all around it."""
    position = start
    while position + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == boxes[0]:
            if len(boxes) == 1:
                inner = data[position + 8 : position + 12] + struct.pack(">I", 1) + entry
            else:
                inner = _grown(data[position + 8 : position + length], 0, length - 8, boxes[1:], entry)
            return (
                data[start:position] + struct.pack(">I4s", len(inner) + 8, kind) + inner + data[position + length : end]
            )
        position += length
    raise AssertionError(f"no {boxes[0]!r} box")


MUTATIONS: dict[str, Mutation] = {
    "bit-flips": _bit_flips,
    "header-flips": _header_flips,
    "truncation": _truncation,
    "wrong-suffix": _wrong_suffix,
    "zeroed-block": _zeroed_block,
    "spliced": _spliced,
    "header-bomb": _header_bomb,
    "playlist": _playlist,
    "external-reference": _external_reference,
}
