"""What stays the same about a figure: hair, colours and outfit."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anisora.harness.drawing.canvas import Colour

__all__ = ["HAIR_STYLES", "OUTFITS", "WHITE", "Look"]

HAIR_STYLES: Final[tuple[str, ...]] = ("short", "long", "twin-tailed", "ponytailed")
OUTFITS: Final[tuple[str, ...]] = ("a sailor uniform", "a hooded jacket")
WHITE: Final[Colour] = (250, 248, 246)

_HAIR: Final[dict[str, Colour]] = {
    "pink": (244, 150, 176),
    "blue": (98, 142, 216),
    "blond": (246, 212, 124),
    "brown": (150, 98, 70),
    "silver": (204, 208, 226),
    "red": (216, 92, 76),
    "green": (116, 182, 140),
    "violet": (156, 124, 202),
}
_EYES: Final[tuple[Colour, ...]] = (
    (64, 128, 216),
    (52, 162, 110),
    (206, 98, 60),
    (152, 88, 190),
    (214, 152, 44),
)
_SKIN: Final[tuple[Colour, ...]] = ((255, 230, 212), (253, 222, 199), (242, 204, 174))
_CLOTH: Final[tuple[Colour, ...]] = ((52, 70, 130), (40, 96, 104), (122, 50, 74), (70, 68, 84))
_JACKET: Final[tuple[Colour, ...]] = ((242, 158, 70), (86, 184, 178), (234, 104, 112), (240, 206, 92))
_RIBBON: Final[tuple[Colour, ...]] = ((226, 66, 78), (252, 250, 250), (70, 92, 170), (250, 196, 70))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What stays the same about a figure from frame to frame."""

    hair_name: str
    hair: Colour
    style: int
    eyes: Colour
    skin: Colour
    cloth: Colour
    jacket: Colour
    ribbon: Colour
    outfit: int

    @classmethod
    def drawn(cls, rng: np.random.Generator, outfit: int) -> "Look":
        """Choose a look by chance; the outfit does not change what else is chosen."""
        names = list(_HAIR)
        hair_name = names[int(rng.integers(len(names)))]
        return cls(
            hair_name=hair_name,
            hair=_HAIR[hair_name],
            style=int(rng.integers(len(HAIR_STYLES))),
            eyes=_EYES[int(rng.integers(len(_EYES)))],
            skin=_SKIN[int(rng.integers(len(_SKIN)))],
            cloth=_CLOTH[int(rng.integers(len(_CLOTH)))],
            jacket=_JACKET[int(rng.integers(len(_JACKET)))],
            ribbon=_RIBBON[int(rng.integers(len(_RIBBON)))],
            outfit=outfit,
        )

    def described(self) -> str:
        """The figure as the subject of a sentence."""
        return f"a girl with {HAIR_STYLES[self.style]} {self.hair_name} hair in {OUTFITS[self.outfit]}"
