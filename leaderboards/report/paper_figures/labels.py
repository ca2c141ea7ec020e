"""Names of systems as a figure has room for them."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

__all__ = ["LONGEST", "short_labels"]

LONGEST: Final = 40
"""Characters."""


def short_labels(names: Sequence[str]) -> list[str]:
    """Shorten names in the middle; those that would become alike at the start or the end that they share.

    Names that differ have labels that differ, as far as ``LONGEST`` characters allow.

    Example:
        >>> settings = ":steps=8,guidance=4.5,shift=3,resolution=720p"
        >>> short_labels([f"a{settings}", f"b{settings}", "c"])
        ['a…', 'b…', 'c']
    """
    labels = [_shortened(name) for name in names]
    for label in dict.fromkeys(labels):
        places = [at for at, other in enumerate(labels) if other == label]
        alike = [names[at] for at in places]
        if len(set(alike)) > 1:
            head, tail = _shared(alike), _shared([name[::-1] for name in alike])
            for at in places:
                name = names[at]
                labels[at] = _shortened(f"{name[:-tail]}…" if tail >= head else f"…{name[head:]}")
    return labels


def _shortened(name: str) -> str:
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"


def _shared(names: Sequence[str]) -> int:
    """Return how many characters all names begin with."""
    columns = zip(*names, strict=False)
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, columns))
