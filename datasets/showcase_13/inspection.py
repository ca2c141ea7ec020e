"""Finds the images of the examples in a folder by their names: which examples are whole, and what the others lack."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from anisora.datasets.importing.defects import Defect, identical_files, in_order, unreadable_image
from anisora.datasets.importing.found_files import digests_below, files_below
from anisora.datasets.showcase_13.items import MASK, Example, known_examples
from anisora.harness.errors import nearest
from anisora.harness.inputs.video_names import same_spelling
from anisora.harness.media.folders import IMAGE_SUFFIXES
from anisora.harness.media.headers import image_size

__all__ = ["DEFECT_KINDS", "DefectKind", "Inspection", "Item", "accepted_names", "inspect"]

_SHAPE_TOLERANCE: Final = 0.01
"""Of width / height of a mask and the image that it belongs to."""
_OTHER_WORDS: Final = {"middle": ("middle", "mid")}

DefectKind = Literal[
    "missing-image", "missing-mask", "duplicate-image", "unreadable-image", "mask-shape", "identical-files"
]
DEFECT_KINDS: Final[tuple[DefectKind, ...]] = get_args(DefectKind)
"""In the order in which they are reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A whole example."""

    example: Example
    paths: dict[str, Path]
    """{place: file}"""


@dataclass(slots=True, kw_only=True)
class Inspection:
    """What a folder holds."""

    root: Path
    items: list[Item] = field(default_factory=list)
    """In the order of the README."""
    found: list[str] = field(default_factory=list)
    """The ids of the examples that have a file."""
    defects: list[Defect] = field(default_factory=list)
    """In the order of ``DEFECT_KINDS``."""
    sha256: dict[str, str] = field(default_factory=dict)
    """{file, relative to the root: digest} of the files of the examples that can be read."""

    @property
    def left_out(self) -> list[str]:
        """The ids of the examples that are not whole."""
        whole = {item.example.id for item in self.items}
        return [example.id for example in known_examples().items if example.id not in whole]


def accepted_names(example: Example, place: str) -> list[str]:
    """Return the names, without suffix, that a file of an example may have; a hyphen may be an underscore.

    Example:
        >>> accepted_names(known_examples().items[10], "last")
        ['cartoon-cat-last', 'cartoon-cat', '11-last', '11', 'motion_comics_zhi_dong_xi_2_last']
    """
    images = [name for name in example.files if name != MASK]
    names = []
    for key in (example.id, str(example.number)):
        names += [f"{key}-{word}" for word in _OTHER_WORDS.get(place, (place,))]
        if place == images[0] and (place == "first" or len(images) == 1):
            names.append(key)
    return [*names, Path(example.files[place]).stem]


def inspect(root: Path) -> Inspection:
    """Look through a folder; images that belong to no example are passed over.

    Raises:
        DataError: The folder cannot be listed.
    """
    inspection = Inspection(root=root)
    _Inspector(inspection, files_below(root, IMAGE_SUFFIXES)).run()
    inspection.defects = in_order(inspection.defects, DEFECT_KINDS)
    return inspection


class _Inspector:
    """Fills an inspection example by example."""

    def __init__(self, inspection: Inspection, images: list[Path]) -> None:
        self._inspection = inspection
        self._by_name: dict[str, list[Path]] = {}
        for path in images:
            self._by_name.setdefault(_plain(same_spelling(path.stem)), []).append(path)

    def run(self) -> None:
        items = []
        for example in known_examples().items:
            candidates = {place: list(self._candidates(example, place)) for place in example.files}
            here = [path for paths in candidates.values() for path in paths]
            self._inspection.sha256 |= digests_below(self._inspection.root, here)
            if here:
                self._inspection.found.append(example.id)
            before = len(self._inspection.defects)
            chosen = {place: self._only(example, place, paths) for place, paths in candidates.items()}
            paths = {place: path for place, path in chosen.items() if path}
            if len(self._inspection.defects) == before and self._fits(example, paths):
                items.append(Item(example=example, paths=paths))
        self._inspection.items = self._distinct(items)

    def _add(self, kind: DefectKind, message: str, item: str) -> None:
        self._inspection.defects.append(Defect(kind=kind, message=message, id=item))

    def _shown(self, path: Path) -> str:
        return f"`{self._relative(path)}`"

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._inspection.root).as_posix()

    def _candidates(self, example: Example, place: str) -> Iterator[Path]:
        for name in dict.fromkeys(map(_plain, accepted_names(example, place))):
            yield from self._by_name.get(name, [])

    def _only(self, example: Example, place: str, paths: list[Path]) -> Path | None:
        """Return the file of a place; copies of one file are one."""
        what = place if place == MASK else f"{place} image"
        if not paths:
            names = accepted_names(example, place)
            guess = nearest(names[0], self._by_name)
            hint = f" (nearest: {self._shown(self._by_name[guess][0])})" if guess else ""
            expected = f"{example.id}{'' if example.id in names else f'-{place}'}.png"
            self._add(
                "missing-mask" if place == MASK else "missing-image",
                f"{example.id!r} has no {what}; expected {expected} or the README's {example.files[place]}{hint}",
                example.id,
            )
            return None
        unreadable = [defect for path in paths if (defect := unreadable_image(path, self._shown(path), example.id))]
        if unreadable:
            self._inspection.defects += unreadable
            return None
        if len({self._inspection.sha256[self._relative(path)] for path in paths}) > 1:
            places = " and ".join(map(self._shown, paths))
            self._add(
                "duplicate-image",
                f"{example.id!r} has {len(paths)} files for its {what}, {places}; expected one",
                example.id,
            )
        return paths[0]

    def _fits(self, example: Example, paths: dict[str, Path]) -> bool:
        """Tell whether a mask has the shape of the image that it is laid over."""
        if MASK not in paths:
            return True
        (width, height), (other_width, other_height) = image_size(paths[MASK]), image_size(paths["first"])
        if abs(width * other_height / (height * other_width) - 1) <= _SHAPE_TOLERANCE:
            return True
        self._add(
            "mask-shape",
            f"{self._shown(paths[MASK])} has {width}x{height} pixels, {self._shown(paths['first'])} "
            f"{other_width}x{other_height}; expected one shape",
            example.id,
        )
        return False

    def _distinct(self, items: list[Item]) -> list[Item]:
        # Two examples share an image in the README itself: a file of the repository is looked at once.
        first: dict[str, str] = {}
        for item in items:
            for place, path in item.paths.items():
                first.setdefault(item.example.files[place], self._relative(path))
        copies = identical_files([(path, self._inspection.sha256[path]) for path in first.values()], "image")
        self._inspection.defects += copies
        left_out = {copy.id for copy in copies}
        return [item for item in items if not any(first[name] in left_out for name in item.example.files.values())]


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")
