"""A line of text burnt into a clip near its bottom, as fan-made subtitles are: light letters with a dark rim."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames

__all__ = ["COLOURS", "LINES", "burn_in"]

LINES: Final[tuple[str, ...]] = (
    "I will never give up.",
    "Wait for me!",
    "Where are you going?",
    "Let's go home together.",
    "You finally came back.",
    "This is not over yet.",
    "Thank you, everyone.",
    "Do not look behind you!",
    "Now I remember that day.",
    "What is that light?",
    "We have to hurry!",
    "Please believe in me.",
)
"""What a subtitle may say."""

COLOURS: Final[tuple[tuple[int, int, int], ...]] = ((255, 255, 255), (255, 242, 160))
"""RGB of the letters: white and pale yellow."""

_RIM_COLOUR: Final = (16, 16, 20)
_CAPITAL: Final = 0.08  # height of a capital letter, of the picture's height
_BASELINE: Final = 0.92  # of the picture's height
_WIDEST: Final = 0.8  # of the picture's width
_OVERSIZE: Final = 4  # canvas pixels per picture pixel, each way
_STROKE: Final = 1 / 7  # thickness of the pen, of a capital's height
_RIM: Final = 1 / 7  # width of the rim, of a capital's height
_SPACE: Final = 0.5  # between words, of a capital's height; wide enough for the rim at both ends
_ABOVE, _BELOW = 1.4, 0.5  # the strip that is drawn, in heights of a capital from the baseline


def burn_in(frames: Frames, line: str, colour: tuple[int, int, int]) -> Frames:
    """Return the frames with a line of text, centred, capital letters 8 % of the picture's height.

    A line that would be wider than 80 % of the picture is made smaller as a whole.

    Args:
        frames: (T, H, W, 3) uint8 RGB; left as they are.
        line: Of letters that OpenCV's built-in fonts have: ASCII.
        colour: RGB of the letters, 0..255.

    Returns:
        (T, H, W, 3) uint8 RGB.
    """
    height, width = frames.shape[1:3]
    letters, rim, baseline = _lettering(line, height * _CAPITAL, width * _WIDEST)
    top = max(0, min(round(height * _BASELINE) - baseline, height - letters.shape[0]))
    left = (width - letters.shape[1]) // 2
    strip = np.s_[top : top + letters.shape[0], left : left + letters.shape[1]]
    out = frames.copy()
    for frame in out:
        pixels = frame[strip].astype(np.float32)
        for cover, tone in ((rim, _RIM_COLOUR), (letters, colour)):
            pixels += cover[..., None] * (np.array(tone, np.float32) - pixels)
        frame[strip] = np.rint(pixels).astype(np.uint8)
    return out


def _lettering(line: str, capital: float, widest: float) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Draw a line large and average it down.

    Args:
        line: The text.
        capital: Height of a capital letter in pixels.
        widest: Greatest width in pixels.

    Returns:
        What share of each pixel the letters cover, and letters with rim, (h, w) 0..1; and the row of the baseline.
    """
    import cv2

    drawn = max(16, round(capital * _OVERSIZE))
    # Versions of OpenCV have different letters under one name, so sizes are measured, not computed.
    tall = int(_written("H", drawn).any(axis=1).sum())
    mask = _written(line, drawn)
    radius = _RIM * tall
    rim = (cv2.distanceTransform(255 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius).astype(np.uint8) * 255
    columns = np.flatnonzero(rim.any(axis=0))
    inside = np.s_[:, columns[0] : columns[-1] + 1]
    scale = min(capital / tall, widest / len(columns))
    size = (max(1, int(len(columns) * scale)), max(1, round(mask.shape[0] * scale)))
    letters, rims = (
        np.divide(cv2.resize(part[inside], size, interpolation=cv2.INTER_AREA), 255, dtype=np.float32)
        for part in (mask, rim)
    )
    return letters, rims, round(_ABOVE * drawn * scale)


def _written(line: str, drawn: int) -> NDArray[np.uint8]:
    """Return 255 where letters are, for capitals of about ``drawn`` pixels; the baseline is at 1.4 times that."""
    words = [_word(word, drawn) for word in line.split()]
    space = np.zeros((words[0].shape[0], round(_SPACE * drawn)), np.uint8)
    parts = [part for word in words for part in (space, word)]
    return np.hstack([*parts, space])


def _word(word: str, drawn: int) -> NDArray[np.uint8]:
    import cv2

    font, scale, thickness = cv2.FONT_HERSHEY_SIMPLEX, drawn / 21, max(1, round(_STROKE * drawn))
    (width, _), _ = cv2.getTextSize(word, font, scale, thickness)
    canvas = np.zeros((round((_ABOVE + _BELOW) * drawn), width + 4 * drawn), np.uint8)
    cv2.putText(canvas, word, (2 * drawn, round(_ABOVE * drawn)), font, scale, 255, thickness, cv2.LINE_AA)
    columns = np.flatnonzero(canvas.any(axis=0))
    return np.where(canvas[:, columns[0] : columns[-1] + 1] >= 128, np.uint8(255), np.uint8(0))
