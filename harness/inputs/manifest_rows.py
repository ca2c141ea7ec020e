"""One row of a manifest, and all that can be wrong with it."""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path
from anisora.harness.inputs.tabular import Record
from anisora.harness.media.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES, frame_paths

__all__ = ["COLUMNS", "MAX_FPS", "MAX_ID_BYTES", "ManifestRow", "check_id", "row_of"]

COLUMNS: Final = (
    "id",
    "video",
    "prompt",
    "image",
    "keyframes",
    "label",
    "seed",
    "fps",
    "ground_truth",
    "region_mask",
)
"""The columns with a meaning; ``image`` is short for a key frame at position 0."""

MAX_ID_BYTES: Final = 200
"""Ids become file names; with a seed, a suffix and a temporary name around them they must stay below 255
bytes."""

MAX_FPS: Final = 1000.0

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One line of a manifest, checked; the files it names exist."""

    id: str
    video: Path | None = None
    prompt: str | None = None
    keyframes: tuple[tuple[float, Path], ...] = ()
    """(position, image), sorted by position in [0, 1]."""
    label: str | None = None
    seed: int | None = None
    fps: float | None = None
    """Frames per second; overrides the container's, and is required for a folder of frames."""
    ground_truth: Path | None = None
    region_mask: Path | None = None
    line: int = 0
    where: str = ""
    """How a message names this row: the file and the line."""
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """Columns without a meaning to the harness."""


def check_id(name: str) -> str | None:
    """Return what is wrong with an id, or None.

    An id becomes a file name, a table key and a word in messages.
    """
    if not name.strip() or name != name.strip():
        return "text without spaces at its ends"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        return f"at most {MAX_ID_BYTES} bytes in UTF-8"
    if "/" in name or "\\" in name or name.startswith("."):
        return "a name without path separators and without a dot at its start"
    if _has_control_characters(name) or _has_invisible_characters(name):
        return "a name without control characters"
    return None


def _has_control_characters(text: str, allowed: str = "") -> bool:
    return any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text)


def _has_invisible_characters(text: str) -> bool:
    """Tell marks that turn the direction of writing or show nothing; joiners are part of some scripts."""
    return any(unicodedata.category(char) == "Cf" and char not in "\u200c\u200d" for char in text)


def row_of(record: Record, folder: Path, *, allow_missing: bool = False) -> ManifestRow:
    """Check one record of a manifest.

    Args:
        record: The record, as read.
        folder: What relative paths are relative to.
        allow_missing: Accept a ``video`` that does not exist; other files must.

    Raises:
        DataError: Names the file, the line, the column, the value and what was expected.
    """
    return _RowReader(folder, record, allow_missing=allow_missing).read()


class _RowReader:
    """Turns one record into a row; every complaint names the place, the column and the value."""

    def __init__(self, folder: Path, record: Record, *, allow_missing: bool) -> None:
        self._folder = folder
        self._values = record.values
        self._record = record
        self._allow_missing = allow_missing

    def read(self) -> ManifestRow:
        metadata = self._metadata()
        name = self._word("id")
        if name is None:
            raise self._error("id", None, "the name of the item; add it")
        wrong = check_id(name)
        if wrong:
            raise self._error("id", name, f"{wrong}; rename the item")
        return ManifestRow(
            id=name,
            video=self._clip("video", allow_missing=self._allow_missing),
            prompt=self._text("prompt", allowed="\n\r\t"),
            keyframes=self._keyframes(),
            label=self._word("label"),
            seed=self._seed(),
            fps=self._fps(),
            ground_truth=self._clip("ground_truth"),
            region_mask=self._image("region_mask", self._values.get("region_mask")),
            line=self._record.line,
            where=self._record.where,
            metadata=MappingProxyType(metadata),
        )

    def _error(self, column: str, value: object, expected: str) -> DataError:
        return DataError(f"{self._record.where}: `{column}` got {shortened(value)}; expected {expected}.")

    def _metadata(self) -> dict[str, Any]:
        absent = [column for column in COLUMNS if self._values.get(column) is None]
        for key, value in self._values.items():
            if key in COLUMNS:
                continue
            if not key or _has_control_characters(key):
                raise self._error("column", key, "a printable column name; rename it")
            close = get_close_matches(key.lower(), absent, n=1, cutoff=0.75)
            if close and value is not None:
                raise DataError(
                    f"{self._record.where}: column {shortened(key)} is not known; did you mean "
                    f"{close[0]!r}? Rename it; other names are kept as metadata."
                )
            try:
                json.dumps(value, allow_nan=False).encode()
            except (TypeError, ValueError):
                raise self._error(
                    key, value, "text, a number, true, false or a list of these; remove the column"
                ) from None
        return {key: value for key, value in self._values.items() if key not in COLUMNS and value is not None}

    def _text(self, column: str, allowed: str = "") -> str | None:
        value = self._values.get(column)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or _has_control_characters(value, allowed):
            raise self._error(column, value, "text without control characters; correct it, or leave it out")
        return value

    def _word(self, column: str) -> str | None:
        value = self._values.get(column)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        text = self._text(column)
        if text is not None and _has_invisible_characters(text):
            raise self._error(column, value, "text without control characters; correct it, or leave it out")
        # One spelling of é: a disk may hand back another one than the manifest's editor wrote.
        return None if text is None else unicodedata.normalize("NFC", text)

    def _number(self, column: str, value: object, expected: str) -> float:
        if isinstance(value, str) and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value.strip()):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(column, value, expected)
        try:
            number = float(value)
        except OverflowError:
            raise self._error(column, value, expected) from None
        if not math.isfinite(number):
            raise self._error(column, value, expected)
        return number

    def _seed(self) -> int | None:
        value = self._values.get("seed")
        if value is None or value == "":
            return None
        expected = "a whole number from 0 to 9223372036854775807; correct it, or leave it out"
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)  # pandas turns whole numbers beside an empty cell into floats
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}(\.0)?", value.strip()):
            value = int(value.strip().removesuffix(".0"))
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise self._error("seed", value, expected)
        return value

    def _fps(self) -> float | None:
        value = self._values.get("fps")
        if value is None or value == "":
            return None
        expected = f"frames per second, above 0 and at most {MAX_FPS:g}; correct it, or leave it out"
        number = self._number("fps", value, expected)
        if not 0 < number <= MAX_FPS:
            raise self._error("fps", value, expected)
        return number

    def _path(self, column: str, value: object) -> Path | None:
        if value is None or value == "":
            return None
        if not isinstance(value, str) or _has_control_characters(value):
            raise self._error(column, value, "the path of a file; correct it")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", value):
            raise self._error(column, value, "the path of a local file; download it first")
        return self._folder / value

    def _missing(self, column: str, value: object, path: Path, expected: str) -> DataError:
        reason = str(missing_path(path, expected)).partition("; ")[2]
        return DataError(f"{self._record.where}: `{column}` got {shortened(value)}, which does not exist; {reason}")

    def _clip(self, column: str, *, allow_missing: bool = False) -> Path | None:
        value = self._values.get(column)
        path = self._path(column, value)
        if path is None:
            return None
        if not path_exists(path):
            if allow_missing:
                return path
            raise self._missing(column, value, path, "a video relative to the manifest")
        if path.is_dir():
            if not _has_frames(path):
                raise self._error(column, value, "a video, or a folder that holds frames; correct the path")
        elif path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file():
            raise self._error(
                column,
                value,
                f"a file that ends in {', '.join(sorted(VIDEO_SUFFIXES))}, or a folder of frames; correct the path",
            )
        return path

    def _image(self, column: str, value: object) -> Path | None:
        path = self._path(column, value)
        if path is None:
            return None
        if not path_exists(path):
            raise self._missing(column, value, path, "an image relative to the manifest")
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            raise self._error(
                column, value, f"an image that ends in {', '.join(sorted(IMAGE_SUFFIXES))}; correct the path"
            )
        return path

    def _keyframes(self) -> tuple[tuple[float, Path], ...]:
        found: dict[float, Path] = {}
        for position, value in (*self._first_image(), *self._keyframe_list()):
            number = self._number("keyframes", position, "a position from 0 (first frame) to 1 (last); correct it")
            if not 0 <= number <= 1:
                raise self._error("keyframes", position, "a position from 0 (first frame) to 1 (last); correct it")
            if number in found:
                raise self._error("keyframes", position, "one image per position (`image` is position 0); remove one")
            path = self._image("keyframes", value)
            if path is None:
                raise self._error("keyframes", value, f"the path of the image at position {number:g}; add it")
            found[number] = path
        return tuple(sorted(found.items()))

    def _first_image(self) -> Iterable[tuple[object, object]]:
        image = self._values.get("image")
        self._image("image", image)  # complains under its own column's name
        return () if image is None or image == "" else ((0.0, image),)

    def _keyframe_list(self) -> Iterable[tuple[object, object]]:
        value = self._values.get("keyframes")
        if value is None or value == "":
            return
        expected = 'a list of {"position": 0, "image": "a.png"}, or the text 0=a.png;1=b.png; correct it'
        if isinstance(value, str):
            for part in value.split(";"):
                position, equals, image = part.partition("=")
                if not equals:
                    raise self._error("keyframes", value, expected)
                yield position.strip(), image.strip()
            return
        if not isinstance(value, list):
            raise self._error("keyframes", value, expected)
        for entry in value:
            if not isinstance(entry, dict) or set(entry) != {"position", "image"}:
                raise self._error("keyframes", entry, expected)
            yield entry["position"], entry["image"]


def _has_frames(folder: Path) -> bool:
    try:
        return bool(frame_paths(folder))
    except OSError as error:
        raise unreadable_path(folder, error) from error
