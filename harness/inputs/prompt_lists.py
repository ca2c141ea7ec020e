"""Lists of prompts as AniSora's own scripts read them: a line is ``prompt@@image[,image][&&position[,position]]``.

The scripts differ (models/prompt_grammar.py has each to the letter). V3.2's way, with ``@@`` first and ``&&`` that may
be left out, reads the lists of all of them, so it is the one here, forgiving about spaces. Several images need as many
positions.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import shortened, unreadable_path
from anisora.harness.inputs.tabular import MAX_BYTES

__all__ = ["PromptLine", "PromptList", "parse_prompt_line", "read_prompt_list", "split_score_suffix"]

_MOST_SUFFIX_CHARACTERS: Final = 100
"""Longer than any part of a suffix, so that a long prompt is not searched again for each."""
_SUFFIX_PART: Final = re.compile(
    r"(?:(?:aesthetic|motion) score: *[0-9]+(?:\.[0-9]+)?[.,]?"
    r"|camera motion: *[a-z]+(?:[ -][a-z]+)*[.,]?"
    r"|there is no text in the video\.?"
    r"|the video has no subtitles\.?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLine:
    """What one line says."""

    prompt: str
    """Without the suffix."""
    suffix: str
    """What steers generation and says nothing about the clip, such as ``motion score: 1.3.``; empty without one."""
    images: tuple[str, ...]
    """As written; at least one."""
    positions: tuple[float, ...]
    """As written, in no range; empty where the line has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptList:
    """The lines of a file that are text."""

    encoding: str
    """``utf-8`` or ``gbk``."""
    lines: tuple[tuple[int, str], ...]
    """(number from 1, text) of every line that is not blank and could be decoded."""
    undecodable: tuple[int, ...]
    """Numbers of the lines that could not."""


def read_prompt_list(path: Path) -> PromptList:
    """Read a list in UTF-8, with or without a byte order mark, or in GBK: V3.2 writes the first, V2 and V3 the other.

    One encoding holds for the whole file: UTF-8, unless most of the lines that tell them apart are none. One damaged
    line of UTF-8 must not make GBK of the others: most of them would decode, to other characters.

    Raises:
        DataError: The file cannot be read, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"`{path}` has {size} bytes; expected a list of at most {MAX_BYTES}; split it.")
        content = path.read_bytes()
    except OSError as error:
        raise unreadable_path(path, error) from error
    raw = content.split(b"\n")  # no byte of a longer character is a line feed, in either encoding
    telling = [_decoded(line, "utf-8") is not None for line in raw if not line.isascii()]
    encoding = "utf-8-sig" if 2 * sum(telling) >= len(telling) else "gbk"
    lines = [_decoded(line, encoding) for line in raw]
    numbered = list(enumerate(lines, start=1))
    return PromptList(
        encoding=encoding.removesuffix("-sig"),
        lines=tuple((number, line) for number, line in numbered if line is not None and line.strip()),
        undecodable=tuple(number for number, line in numbered if line is None),
    )


def _decoded(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding).removesuffix("\r")
    except UnicodeDecodeError:
        return None


def parse_prompt_line(line: str) -> PromptLine:
    """Take one line apart.

    Raises:
        ValueError: It is no such line; the message says what was expected.
    """
    prompt, *rest = line.split("@@")
    if len(rest) != 1:
        raise ValueError(f"has {len(rest)} times '@@'; expected prompt@@image, with '@@' once")
    images_text, *positions_text = rest[0].split("&&")
    if len(positions_text) > 1:
        raise ValueError(f"has {len(positions_text)} times '&&' after '@@'; expected it once or not at all")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character != "\t" for character in line):
        raise ValueError("has control characters; expected text")
    images = tuple(image.strip() for image in images_text.split(","))
    if not all(images):
        raise ValueError(f"has {shortened(images_text)} after '@@'; expected the path of an image")
    positions = tuple(_position(text) for text in positions_text[0].split(",")) if positions_text else ()
    # One image with several positions: the image is given, and the positions ask for frames of the clip.
    if len(images) > 1 and len(images) != len(positions):
        raise ValueError(f"has {len(images)} images and {len(positions)} positions; expected as many of both")
    text, suffix = split_score_suffix(prompt)
    return PromptLine(prompt=text, suffix=suffix, images=images, positions=positions)


def _position(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"has the position {shortened(text)}; expected a number from 0 to 1") from None


def split_score_suffix(prompt: str) -> tuple[str, str]:
    """Split a prompt into what it says of the clip and the suffix that steers generation.

    A suffix is any run, at the end, of ``aesthetic score: 5.5.``, ``motion score: 1.3.``, ``camera motion: pan left.``,
    ``There is no text in the video.`` and ``The video has no subtitles.``, in any case of letters.

    Example:
        >>> split_score_suffix("A girl waves. aesthetic score: 5.5. motion score: 1.3. The video has no subtitles.")
        ('A girl waves.', 'aesthetic score: 5.5. motion score: 1.3. The video has no subtitles.')
    """
    whole = prompt.strip()
    text = whole
    while found := _SUFFIX_PART.search(text, max(0, len(text) - _MOST_SUFFIX_CHARACTERS)):
        text = text[: found.start()].rstrip()
    return text, whole[len(text) :].lstrip()
