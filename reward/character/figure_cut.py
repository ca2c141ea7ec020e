"""Cuts a character out of a whole picture, such as a conditioning image, for a gallery of one's own."""

import csv
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import DataError
from anisora.harness.types import Frames
from anisora.reward.character.mask_crop import square_crop
from anisora.reward.character.tracks import CharacterDetector, CharacterTracker

__all__ = ["FigureCut", "GivenBoxes", "read_boxes"]

_COLUMNS: Final = ("path", "left", "top", "right", "bottom")


class GivenBoxes:
    """Boxes that a person drew, one a picture."""

    def __init__(self, boxes: Mapping[str, tuple[float, float, float, float]], digest: str) -> None:
        """Take the boxes.

        Args:
            boxes: {path below the gallery's folder: left, top, right, bottom in pixels of the picture}
            digest: Of the file that they come from.
        """
        self._boxes, self.digest = boxes, digest

    def of(self, path: str) -> NDArray[np.float64]:
        """Return (n, 4) boxes of a picture, n being 0 or 1."""
        return np.array([self._boxes[path]] if path in self._boxes else [], np.float64).reshape(-1, 4)


class FigureCut:
    """From a whole picture to the one character in it, on a black square as crops of clips are."""

    def __init__(self, boxes: CharacterDetector | GivenBoxes, tracker: CharacterTracker, *, name: str) -> None:
        """Choose who finds and who outlines.

        Args:
            boxes: A detector, or boxes that are given.
            tracker: Outlines what is in the box; the same as for the clips that will be compared.
            name: Of both, for the gallery's preprocessing: galleries that were cut otherwise are others.
        """
        self._boxes, self._tracker, self.name = boxes, tracker, name

    def __call__(self, path: str, picture: Frames) -> Frames:
        """Cut one picture.

        Args:
            path: Below the gallery's folder.
            picture: (H, W, 3) RGB.

        Returns:
            (s, s, 3), black where the character is not.

        Raises:
            DataError: There is no character, more than one, or the outline of the one is empty.
        """
        found = self._boxes.of(path) if isinstance(self._boxes, GivenBoxes) else self._boxes.boxes(picture)
        if len(found) != 1:
            what = "no box" if isinstance(self._boxes, GivenBoxes) else f"{len(found) or 'no'} characters"
            raise DataError(f"`{path}` has {what}; expected one. Give its box in a file, or cut the picture by hand")
        labels = self._tracker.label_map(picture[None], found)[0]
        if not (labels == 1).any():
            raise DataError(f"`{path}` has no pixel of a character inside its box {found[0].tolist()}; correct the box")
        crop, _ = square_crop(picture, labels == 1)
        return crop


def read_boxes(file: Path) -> GivenBoxes:
    """Read boxes from a CSV file with the columns path, left, top, right and bottom, in pixels.

    Raises:
        DataError: The file cannot be read, lacks a column, has two boxes for a picture, or one that is no box.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Boxes `{file}` cannot be read ({error}); expected a CSV file.") from error
    reader = csv.DictReader(text.splitlines())
    lacking = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if lacking:
        raise DataError(f"Boxes `{file}` lack the column {', '.join(lacking)}; expected {', '.join(_COLUMNS)}.")
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for row in reader:
        path = row["path"] or ""
        if path in boxes:
            raise DataError(
                f"Boxes `{file}`, line {reader.line_num}: `{path}` has a second box; expected one a picture."
            )
        boxes[path] = _box(file, reader.line_num, row)
    return GivenBoxes(boxes, hashlib.sha256(text.encode()).hexdigest())


def _box(file: Path, line: int, row: Mapping[str, str | None]) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(row[column] or "nan") for column in _COLUMNS[1:])
    except ValueError:
        left = top = right = bottom = math.nan
    if not (0 <= left < right < math.inf and 0 <= top < bottom < math.inf):
        given = ", ".join(str(row[column]) for column in _COLUMNS[1:])
        raise DataError(f"Boxes `{file}`, line {line} got {given}; expected left < right and top < bottom in pixels.")
    return left, top, right, bottom
