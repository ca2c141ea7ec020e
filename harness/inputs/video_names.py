"""Which item a file name stands for. Pure functions of names; nothing here touches the disk.

Names are compared in one Unicode spelling (NFC), because disks and editors disagree about it, and first
exactly, then without regard to case, because some disks do not keep it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from anisora.harness.errors import DataError, nearest
from anisora.harness.inputs.paths import shortened
from anisora.harness.types import Sample

__all__ = ["Key", "NameIndex", "numbered_positions", "same_spelling", "split_number"]

Key = tuple[str, int]
"""(item id, seed): what one clip stands for."""


def same_spelling(name: str) -> str:
    """Return a name in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name)


def split_number(stem: str) -> tuple[str, int] | None:
    """Split ``{name}-{number}`` at its last hyphen, or return None.

    Example:
        >>> split_number("tui-la-3-0")
        ('tui-la-3', 0)
    """
    found = re.fullmatch(r"(.+)-([0-9]{1,19})", stem, re.DOTALL)
    return (found[1], int(found[2])) if found else None


class NameIndex:
    """The names that the items of a suite answer to."""

    def __init__(self, samples: Sequence[Sample], seeds: Sequence[int], unnumbered_seed: int) -> None:
        """Index ids and prompts.

        Args:
            samples: All items that a file may stand for.
            seeds: All seeds that a file may stand for; the index of VBench's names counts along them.
            unnumbered_seed: The seed of a file whose name has none.
        """
        self._seeds = tuple(seeds)
        self.unnumbered_seed = unnumbered_seed
        self._ids = _by_name((sample.id, sample.id) for sample in samples)
        self._folded_ids = _by_name((sample.id.casefold(), sample.id) for sample in samples)
        prompts = [(sample.prompt, sample.id) for sample in samples if sample.prompt]
        self._prompts = _by_name(prompts)
        self._folded_prompts = _by_name((prompt.casefold(), name) for prompt, name in prompts)

    def readings(self, stem: str) -> list[Key]:
        """Return what a stem can stand for, the best reading first.

        The order: an exact id; an exact id with ``-{seed}``; an exact prompt with ``-{index}``; the same
        three without regard to case.

        Raises:
            DataError: The name fits several items equally well.
        """
        name = same_spelling(stem)
        exact = self._readings(stem, name, self._ids, self._prompts)
        return exact or self._readings(stem, name.casefold(), self._folded_ids, self._folded_prompts)

    def _readings(self, stem: str, name: str, ids: dict[str, list[str]], prompts: dict[str, list[str]]) -> list[Key]:
        found: list[Key] = []
        if name in ids:
            found.append((_only(stem, ids[name]), self.unnumbered_seed))
        parts = split_number(name)
        if parts:
            base, number = parts
            if base in ids and number in self._seeds:
                found.append((_only(stem, ids[base]), number))
            if base in prompts and number < len(self._seeds) and not found:
                found.append((_only(stem, prompts[base]), self._seeds[number]))
        return found

    def by_id(self, name: str, seed: int | None) -> list[Key]:
        """Return what a manifest's id and seed stand for; ids of a manifest are exact."""
        found = self._ids.get(same_spelling(name), [])
        number = self.unnumbered_seed if seed is None else seed
        return [(_only(name, found), number)] if found and number in self._seeds else []

    def by_prompt(self, prompt: str, index: int) -> list[Key]:
        """Return what VBench's pair of a prompt and an index stands for.

        In VBench's custom mode the prompt is the file name, which may be an id.

        Raises:
            DataError: Several items have this prompt.
        """
        name = same_spelling(prompt)
        for names, key in ((self._prompts, name), (self._ids, name), (self._folded_prompts, name.casefold())):
            if key in names and index < len(self._seeds):
                return [(_only(prompt, names[key]), self._seeds[index])]
        return []

    def explain(self, stem: str) -> str:
        """Return a short reason why a stem stands for nothing, with the nearest id."""
        parts = split_number(same_spelling(stem))
        if parts and (parts[0] in self._ids or parts[0] in self._prompts):
            return f"{shortened(stem)} (the item is known, {parts[1]} is none of its seeds)"
        base = parts[0] if parts else stem
        guess = nearest(stem, self._ids) or nearest(base, self._ids) or nearest(base, self._prompts)
        return f"{shortened(stem)} (nearest: {shortened(guess)})" if guess else shortened(stem)


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, item in pairs:
        items = names.setdefault(same_spelling(name), [])
        if item not in items:
            items.append(item)
    return names


def _only(stem: str, items: Sequence[str]) -> str:
    if len(items) > 1:
        raise DataError(
            f"Video {shortened(stem)} fits the items {', '.join(map(shortened, items[:4]))} alike; "
            "expected one; name the files by id, or give a manifest."
            "one; name the files by id, or give a manifest."
        )
    return items[0]


def numbered_positions(stems: Sequence[str], count: int) -> dict[str, int]:
    """Return the place in the suite of each numbered file name, counted from 0.

    The last number of a name counts; everything around it must be the same in all names. Counting may start
    at 0 or 1. Places come from the numbers and not from the order of the files, so that a missing file does
    not shift the others.

    Args:
        stems: File names without suffix.
        count: How many files a whole set has.

    Raises:
        DataError: A name has no number, names differ elsewhere, a number is too high, or it cannot be told
            whether counting starts at 0 or 1.
    """
    numbers: dict[str, int] = {}
    surroundings: dict[tuple[str, str], str] = {}
    for stem in stems:
        found = re.fullmatch(r"(.*?)([0-9]{1,19})([^0-9]*)", stem, re.DOTALL)
        if not found:
            raise DataError(
                f"Video {shortened(stem)} has no number; expected numbered names such as 0001 to match "
                "them in order; rename it, or match by name."
            )
        numbers[stem] = int(found[2])
        surroundings.setdefault((found[1], found[3]), stem)
    if len(surroundings) > 1:
        left, right = list(surroundings.values())[:2]
        raise DataError(
            f"Videos {shortened(left)} and {shortened(right)} differ in more than their number; expected "
            "names such as clip-1 and clip-2 to match them in order; rename them."
        )
    lowest, highest = min(numbers.values()), max(numbers.values())
    if lowest > 0 and highest < count:
        raise DataError(
            f"Videos are numbered {lowest} to {highest} and the suite needs {count}: it cannot be told "
            "whether counting starts at 0 or 1; expected the first or the last one; add it, or match by "
            "name."
        )
    start = 0 if lowest == 0 else 1
    if highest - start >= count:
        name = max(numbers, key=lambda stem: numbers[stem])
        raise DataError(
            f"Video {shortened(name)} is beyond the {count} that the suite has; expected numbers from "
            f"{start} to {count - 1 + start}; remove it."
        )
    return {stem: number - start for stem, number in numbers.items()}
