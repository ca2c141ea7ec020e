"""Text that a clip shows and its conditioning images do not."""

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, Features, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.local.text_reader import line_texts
from anisora.metrics.scoring import scored

__all__ = ["HallucinatedText", "covered_share", "folded", "is_known", "is_text", "new_lines"]

SAME_LINE: Final = 0.6
"""Share of matching characters from which a line counts as one of the image's, read a little differently."""

_GRID: Final = (360, 640)  # cells of the frame, on which overlapping lines are counted once


def folded(text: str) -> str:
    """Return the letters and digits of a line, without case, width and accents' spelling."""
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())


def is_text(line: str) -> bool:
    """Tell writing from what line art is misread as.

    Locks of hair are read as ``www`` and windows as squares. A line is text if it has two different letters or
    digits, and three of them in all unless it has one of an ideographic or syllabic script.

    Example:
        >>> [is_text(line) for line in ("www", "mw", "No!", "Yes", "出口", "一")]
        [False, False, False, True, True, False]
    """
    letters = folded(line)
    dense = any(ord(letter) >= 0x2E80 for letter in letters)
    return len(set(letters)) >= 2 and (dense or len(letters) >= 3)


def is_known(line: str, known: Sequence[str]) -> bool:
    """Return whether a line is one of the known ones, or a part of one, or nearly so.

    Args:
        line: As read in a frame.
        known: The lines of the conditioning images.
    """
    letters = folded(line)
    others = [folded(other) for other in known]
    return any(
        letters in other or SequenceMatcher(None, letters, other, autojunk=False).ratio() >= SAME_LINE
        for other in [*others, "".join(others)]
        if other
    )


def new_lines(codepoints: NDArray[np.integer], known: Sequence[str]) -> NDArray[np.bool_]:
    """Return which of a frame's lines are text that is not known.

    Args:
        codepoints: (lines, 64), 0 where there is no character.
        known: The lines of the conditioning images.

    Returns:
        (lines,)
    """
    found = np.zeros(len(codepoints), np.bool_)
    for place, row in enumerate(codepoints):
        texts = line_texts(row[None])
        found[place] = bool(texts) and is_text(texts[0]) and not is_known(texts[0], known)
    return found


def covered_share(quads: NDArray[np.floating]) -> float:
    """Return the share of a frame that lies under any of these quadrilaterals.

    Args:
        quads: (lines, 4, 2) corners (x, y) as shares of width and height.

    Returns:
        0..1.
    """
    import cv2

    cells = np.zeros(_GRID, np.uint8)
    corners = np.rint(np.asarray(quads, np.float64) * (_GRID[1] - 1, _GRID[0] - 1)).astype(np.int32)
    for quad in corners:
        cv2.fillConvexPoly(cells, quad, 1)
    return float(cells.mean())


class HallucinatedText:
    """Mean share of the frame that is covered by text which no conditioning image has."""

    info = MetricInfo(
        name="hallucinated_text",
        title="Hallucinated text",
        version=2,
        direction="lower",
        value_range=(0.0, 1.0),
        requests=(
            FeatureRequest(extractor="rapid_ocr", sampling=FrameSampling(mode="uniform", count=8)),
            FeatureRequest(extractor="rapid_ocr_images", sampling=FrameSampling(mode="uniform", count=1)),
        ),
        source="this project; text found and read by PaddleOCR's PP-OCRv6 (small) through RapidOCR",
        group="local",
        needs=frozenset({"keyframes"}),
        unit="share of the frame",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has the share (``area``) and the letters and digits (``characters``) by frame.

        Returns:
            Value in 0..1.
        """
        frames, images = (features.get(item, request.extractor, request.sampling) for request in self.info.requests)
        known = [text for image in images["codepoints"][0] for text in line_texts(image)]
        rows = [_measure(frames, place, known) for place in range(len(frames["codepoints"]))]
        area, characters = np.array(rows, np.float64).T
        note = "" if not area.any() else f"reads {_longest(frames, known)!r}"
        parts = {"area": area.tolist(), "characters": characters.tolist()}
        return scored(item, area.mean(), parts=parts, note=note)


def _measure(frames: Features, place: int, known: Sequence[str]) -> tuple[float, int]:
    codepoints = frames["codepoints"][place]
    new = new_lines(codepoints, known)
    characters = sum(len(folded(text)) for text in line_texts(codepoints[new]))
    return covered_share(frames["quads"][place][new]) if new.any() else 0.0, characters


def _longest(frames: Features, known: Sequence[str]) -> str:
    lines = [text for row in frames["codepoints"] for text in line_texts(row[new_lines(row, known)])]
    return max(lines, key=lambda text: (len(text), text))
