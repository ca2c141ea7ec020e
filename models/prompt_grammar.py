"""The lines of AniSora's prompt lists and the sentences its scripts append, release by release and to the letter.

``harness/inputs/prompt_lists.py`` reads the lists of all releases alike, to import a benchmark; here a line means what
the release's own script makes of it, blemishes included.

Reference: anisoraV1_infer/fastercache (command line), anisoraV2_gpu/generate-pi-i2v.py,
anisoraV3/generate-pi-i2v-any.py, anisoraV3.2/generate_txt_new.py (the loops over lines); anisora_anymask.
"""

from dataclasses import dataclass
from typing import Final, Literal

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.inputs.paths import shortened
from anisora.models.score_suffix import AESTHETIC_SCORE, append_missing_scores

__all__ = [
    "GRAMMARS",
    "Line",
    "LineGrammar",
    "mask_video_of",
    "parse_line",
    "recommended_prompt",
    "write_line",
]

_IMAGES: Final = "@@"
_POSITIONS: Final = "&&"
_NO_TEXT: Final = " There is no text in the video."


@dataclass(frozen=True, slots=True, kw_only=True)
class LineGrammar:
    """How the script of a release reads a line ``prompt@@image[,image][&&position[,position]]``."""

    positions: Literal["none", "optional", "required"] = "none"
    """``none``: all after ``@@`` is one path, commas and ``&&`` included."""
    positions_first: bool = False
    """The line is split at ``&&`` before ``@@``: a prompt must not have it."""
    counts_agree: bool = False
    """As many positions as images, or an error."""
    appended: str = ""
    """What the script appends to every prompt."""
    motion: float = 3.0
    """The motion score of the recommended suffix."""
    motion_range: tuple[float, float] = (2.0, 4.0)
    """Motion scores recommended for the release; the scales of releases are not comparable."""
    sentence: str = _NO_TEXT
    """What the recommended suffix says after the scores."""


GRAMMARS: Final[dict[str, LineGrammar]] = {
    "v1": LineGrammar(motion=0.7, motion_range=(0.5, 1.5), sentence=""),
    "v2": LineGrammar(appended=_NO_TEXT, motion=1.3, motion_range=(1.0, 2.0), sentence=" The video has no subtitles."),
    "v3": LineGrammar(positions="required", positions_first=True, appended=_NO_TEXT),
    "v3.2": LineGrammar(positions="optional", counts_agree=True),
    "any-mask": LineGrammar(),
}
"""{release: its lines}; a line of ``any-mask`` names a video in place of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one line says."""

    prompt: str
    """As written."""
    sent: str
    """What the model is given."""
    images: tuple[str, ...]
    """As written; of ``any-mask`` the one video."""
    positions: tuple[float, ...]
    """As written, in no range; 0 where the line has none."""


def _grammar(release: str) -> LineGrammar:
    if release not in GRAMMARS:
        raise UnknownNameError("release", release, GRAMMARS, f"Expected one of {', '.join(GRAMMARS)}.")
    return GRAMMARS[release]


def parse_line(line: str, release: str) -> Line:
    """Read a line as the script of a release does; only line feeds at its ends are not part of it.

    Args:
        line: With or without a line feed.
        release: One of GRAMMARS.

    Raises:
        DataError: The script of the release stops at this line.
        UnknownNameError: There is no such release.

    Example:
        >>> parse_line("A cat runs.@@a.png,b.png&&0,0.5", "v3.2").positions
        (0.0, 0.5)
        >>> parse_line("A cat runs.@@a.png,b.png&&0,0.5", "v2").images
        ('a.png,b.png&&0,0.5',)
    """
    grammar, line = _grammar(release), line.strip("\n")
    if grammar.positions == "none":
        prompt, image = _halves(line, _IMAGES, line, release)
        return Line(prompt=prompt, sent=prompt + grammar.appended, images=(image,), positions=(0.0,))
    numbers: str | None
    if grammar.positions_first:
        front, numbers = _halves(line, _POSITIONS, line, release)
        prompt, paths = _halves(front, _IMAGES, line, release)
    else:
        prompt, paths = _halves(line, _IMAGES, line, release)
        numbers = None
        if grammar.positions == "required" or _POSITIONS in paths:
            paths, numbers = _halves(paths, _POSITIONS, line, release)
    images = tuple(paths.split(","))
    positions = (0.0,) if numbers is None else tuple(_position(text, line) for text in numbers.split(","))
    if grammar.counts_agree and len(images) != len(positions):
        raise DataError(
            f"`{shortened(line)}` has {len(images)} images and {len(positions)} positions; release {release!r} expects "
            "as many of both. Write one position for each image after '&&'."
        )
    return Line(prompt=prompt, sent=prompt + grammar.appended, images=images, positions=positions)


def _halves(text: str, mark: str, line: str, release: str) -> tuple[str, str]:
    parts = text.split(mark)
    if len(parts) != 2:
        raise DataError(
            f"`{shortened(line)}` has {mark!r} {len(parts) - 1} times where release {release!r} expects it once. "
            "Write prompt@@image, and positions after '&&'."
        )
    return parts[0], parts[1]


def _position(text: str, line: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(
            f"`{shortened(line)}` has the position {shortened(text)}; expected a number from 0 to 1. Correct the line."
        ) from None


def write_line(prompt: str, images: tuple[str, ...], positions: tuple[float, ...], release: str) -> str:
    """Return the line that the script of a release reads as these values.

    Args:
        prompt: One line of text.
        images: Paths; of ``any-mask`` the one video.
        positions: 0 to 1, one for each image. Releases without positions take one image at 0.
        release: One of GRAMMARS.

    Raises:
        DataError: No line of the release says this, such as for a path with a comma.
        ConfigError: There is no image, or the numbers of images and positions differ.
        UnknownNameError: There is no such release.
    """
    grammar = _grammar(release)
    if not images or len(images) != len(positions):
        raise ConfigError(
            f"`images` has {len(images)} paths and `positions` {len(positions)}; expected as many, at least one. "
            "Pass a position for each image."
        )
    line = f"{prompt}{_IMAGES}{','.join(images)}"
    if grammar.positions != "none":
        line += f"{_POSITIONS}{','.join(map(str, positions))}"
    try:
        read = parse_line(line, release)
    except DataError:
        read = None
    if read is None or "\n" in line or (read.prompt, read.images, read.positions) != (prompt, images, positions):
        raise DataError(
            f"`{shortened(line)}` is not read back as it was meant by release {release!r}: its lines have one '@@', "
            "no comma or '&&' in a path, and the positions of the release. Rename the file or choose another release."
        )
    return line


def recommended_prompt(prompt: str, release: str, *, motion: float | None = None) -> str:
    """Return a prompt with the suffix that the authors recommend for a release, for its line of a list.

    Scores that the prompt has are kept, and the sentence is not said twice.

    Args:
        prompt: What happens in the clip.
        release: One of GRAMMARS.
        motion: The motion score; None takes the one of the authors' example.

    Raises:
        ConfigError: The motion score is outside the range of the release.
        UnknownNameError: There is no such release.

    Example:
        >>> recommended_prompt("A girl waves.", "v2")
        'A girl waves. aesthetic score: 5.5. motion score: 1.3. The video has no subtitles.'
    """
    grammar = _grammar(release)
    low, high = grammar.motion_range
    asked = grammar.motion if motion is None else motion
    if not low <= asked <= high:
        raise ConfigError(
            f"`motion` got {motion!r}; expected {low:g} to {high:g}, the range of release {release!r}. "
            "Scales of other releases are not comparable."
        )
    text = append_missing_scores(prompt, aesthetic=AESTHETIC_SCORE, motion=asked)
    return text if grammar.sentence.strip() in text else text + grammar.sentence


def mask_video_of(video: str) -> str:
    """Return the mask that ``any-mask`` expects beside a video.

    Raises:
        DataError: The video is no ``.mp4``.

    Example:
        >>> mask_video_of("clips/walk.mp4")
        'clips/walk_mask.mp4'
    """
    if not video.endswith(".mp4"):
        raise DataError(
            f"`{video}` is no .mp4; release 'any-mask' expects one, and its mask beside it as NAME_mask.mp4. "
            "Convert the video."
        )
    return f"{video.removesuffix('.mp4')}_mask.mp4"
