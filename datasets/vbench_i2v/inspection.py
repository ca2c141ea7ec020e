"""Looks a folder of VBench-I2V through: which items are whole, and every defect of the others, one line each."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, get_args

from anisora.datasets.importing.defects import Defect, counted, identical_files, in_order, unreadable_image
from anisora.datasets.importing.found_files import digests_below, files_below
from anisora.datasets.vbench_i2v.dimensions import DIMENSIONS, EXPECTED_IMAGES, TYPES
from anisora.datasets.vbench_i2v.entries import (
    ENTRIES_FILE,
    FACTS_FILE,
    Entry,
    ImageFacts,
    read_entries,
    read_image_facts,
)
from anisora.harness.errors import DataError, nearest
from anisora.harness.inputs.video_names import same_spelling
from anisora.harness.media.folders import IMAGE_SUFFIXES
from anisora.harness.media.headers import image_size

__all__ = ["DEFECT_KINDS", "RATIO", "DefectKind", "Inspection", "Item", "inspect"]

RATIO: Final = r"[1-9][0-9]{0,3}-[1-9][0-9]{0,3}"
"""How folders of crops are named: width-height."""

_RATIO_TOLERANCE: Final = 0.01
"""Of width / height. VBench's crops are whole pixels of large images: off by less than a thousandth."""

DefectKind = Literal[
    "wrong-entry",
    "duplicate-prompt",
    "unknown-dimension",
    "unknown-type",
    "missing-image",
    "duplicate-image",
    "unreadable-image",
    "wrong-ratio",
    "identical-files",
    "image-without-entry",
    "other-facts",
    "dimension-count",
    "image-count",
]
DEFECT_KINDS: Final[tuple[DefectKind, ...]] = get_args(DefectKind)
"""In the order in which they are reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A whole item."""

    entry: Entry
    image: Path
    facts: ImageFacts | None


@dataclass(slots=True, kw_only=True)
class Inspection:
    """What a folder holds."""

    root: Path
    items: list[Item] = field(default_factory=list)
    """In the order of the list."""
    wanted: list[Entry] = field(default_factory=list)
    """The entries that should be items."""
    defects: list[Defect] = field(default_factory=list)
    """In the order of ``DEFECT_KINDS``; what one leaves out is a prompt or an image."""
    lists: list[str] = field(default_factory=list)
    """The lists that were read, relative to the root."""
    sha256: dict[str, str] = field(default_factory=dict)
    """{file, relative to the root: digest} of the lists, and of the images that can be read."""

    @property
    def left_out(self) -> list[str]:
        """The prompts that should be items and are none, each once."""
        whole = {item.entry.prompt for item in self.items}
        return [prompt for prompt in dict.fromkeys(entry.prompt for entry in self.wanted) if prompt not in whole]


def inspect(root: Path, ratio: str, dimension: str | None, access: str) -> Inspection:
    """Look through a folder.

    Args:
        root: The folder.
        ratio: Images of the folders with this name are taken, such as ``16-9``.
        dimension: Take the entries that count for it; None: those that do not count for camera motion alone.
        access: How the data set is come by, for messages.

    Raises:
        DataError: The folder cannot be listed, has no list of prompts or two different ones, or no image of this
            ratio.
    """
    found = files_below(root, IMAGE_SUFFIXES | {".json"})
    entries_path = _list_of(found, ENTRIES_FILE, root)
    if entries_path is None:
        raise DataError(f"`{root}` has no {ENTRIES_FILE}; {access}")
    facts_path = _list_of(found, FACTS_FILE, root)
    images = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
    inspection = Inspection(root=root)
    lists = [path for path in (entries_path, facts_path) if path]
    inspection.lists = [path.relative_to(root).as_posix() for path in lists]
    _Inspector(inspection, images, ratio).run(entries_path, facts_path, dimension, access)
    inspection.sha256 = digests_below(root, lists) | inspection.sha256
    inspection.defects = in_order(inspection.defects, DEFECT_KINDS)
    return inspection


def _list_of(found: Iterable[Path], name: str, root: Path) -> Path | None:
    paths = [path for path in found if path.name == name]
    if len(set(digests_below(root, paths).values())) > 1:
        places = " and ".join(f"`{path}`" for path in paths)
        raise DataError(f"{places} differ; expected one {name}; remove or rename the others.")
    return paths[0] if paths else None


class _Inspector:
    """Fills an inspection step by step; an image with a defect goes no further than the step that found it."""

    def __init__(self, inspection: Inspection, images: Sequence[Path], ratio: str) -> None:
        self._inspection, self._ratio = inspection, ratio
        self._images: dict[str, list[Path]] = {}
        self._other_folders: dict[str, list[str]] = {}
        for path in images:
            name, folder = same_spelling(path.name), path.parent.name
            if folder == ratio:
                self._images.setdefault(name, []).append(path)
            else:
                self._other_folders.setdefault(name, []).append(folder)

    def run(self, entries_path: Path, facts_path: Path | None, dimension: str | None, access: str) -> None:
        root = self._inspection.root
        entries, wrong = read_entries(entries_path, f"`{entries_path.relative_to(root)}`")
        facts = read_image_facts(facts_path) if facts_path else {}
        if not self._images:
            raise DataError(f"`{root}` has no image in a folder {self._ratio}{self._ratios_there()}; {access}")
        self._inspection.defects += wrong
        self._inspection.sha256 = digests_below(root, (path for paths in self._images.values() for path in paths))
        single = self._with_prompts_of_their_own(entries)
        self._check_words(entries)
        self._inspection.wanted = [entry for entry in entries if _is_wanted(entry, dimension)]
        whole = self._whole_images(dict.fromkeys(entry.image for entry in self._inspection.wanted))
        self._inspection.items = [
            Item(entry=entry, image=whole[entry.image], facts=facts.get(entry.image))
            for entry in self._inspection.wanted
            if entry.prompt in single and entry.image in whole
        ]
        self._find_strays(entries)
        if facts_path:
            self._compare_facts(entries, facts)
        self._count(entries)

    def _add(self, kind: DefectKind, message: str, left_out: str | None = None) -> None:
        self._inspection.defects.append(Defect(kind=kind, message=message, id=left_out))

    def _shown(self, path: Path) -> str:
        return f"`{path.relative_to(self._inspection.root)}`"

    def _ratios_there(self) -> str:
        folders = {folder for folders in self._other_folders.values() for folder in folders}
        there = sorted(folder for folder in folders if re.fullmatch(RATIO, folder))
        return f" (there are {', '.join(there)}: vbench-i2v:ratio={there[0]})" if there else ""

    def _with_prompts_of_their_own(self, entries: Sequence[Entry]) -> set[str]:
        counts = Counter(entry.prompt for entry in entries)
        for prompt, count in counts.items():
            if count > 1:
                self._add("duplicate-prompt", f"{prompt!r} stands in {count} entries; expected one", prompt)
        return {prompt for prompt, count in counts.items() if count == 1}

    def _check_words(self, entries: Sequence[Entry]) -> None:
        kinds: tuple[tuple[DefectKind, Iterable[str], Counter[str]], ...] = (
            ("unknown-dimension", DIMENSIONS, Counter(word for entry in entries for word in set(entry.dimensions))),
            ("unknown-type", TYPES, Counter(entry.type for entry in entries)),
        )
        for kind, known, counts in kinds:
            for word, count in counts.items():
                if word not in known:
                    guess = nearest(word, known)
                    hint = f" (nearest: {guess!r})" if guess else ""
                    entries_of_it = "1 entry" if count == 1 else f"{count} entries"
                    thing = kind.removeprefix("unknown-")
                    self._add(kind, f"{word!r} of {entries_of_it} is no {thing} of VBench-I2V{hint}; kept as it is")

    def _whole_images(self, wanted: Iterable[str]) -> dict[str, Path]:
        found = {name: path for name in wanted if (path := self._readable(name))}
        root, digests = self._inspection.root, self._inspection.sha256
        copies = identical_files(
            [(name, digests[path.relative_to(root).as_posix()]) for name, path in found.items()], "image"
        )
        self._inspection.defects += copies
        left_out = {copy.id for copy in copies}
        return {name: path for name, path in found.items() if name not in left_out}

    def _readable(self, name: str) -> Path | None:
        """Return the one file of an image, if it is an image of the right shape."""
        paths = self._images.get(name, [])
        if not paths:
            others = sorted(set(self._other_folders.get(name, [])))
            hint = f" (it is in {', '.join(others)})" if others else ""
            self._add("missing-image", f"{name!r} is in no folder {self._ratio}{hint}; expected it there", name)
            return None
        if len(paths) > 1:
            places = " and ".join(map(self._shown, paths))
            self._add("duplicate-image", f"{name!r} is there {len(paths)} times, {places}; expected one", name)
            return None
        unreadable = unreadable_image(paths[0], self._shown(paths[0]), name)
        if unreadable:
            self._inspection.defects.append(unreadable)
            return None
        width, height = image_size(paths[0])
        expected = Fraction(self._ratio.replace("-", "/"))
        if abs(width / height / expected - 1) > _RATIO_TOLERANCE:
            self._add(
                "wrong-ratio",
                f"{self._shown(paths[0])} has {width}x{height} pixels; expected {self._ratio.replace('-', ':')}",
                name,
            )
            return None
        return paths[0]

    def _find_strays(self, entries: Sequence[Entry]) -> None:
        named = {entry.image for entry in entries}
        for name, paths in self._images.items():
            if name not in named:
                places = " and ".join(map(self._shown, paths))
                self._add("image-without-entry", f"{places} is the image of no entry; expected one of {ENTRIES_FILE}")

    def _compare_facts(self, entries: Sequence[Entry], facts: dict[str, ImageFacts]) -> None:
        for entry in entries:
            if entry.is_of_camera_motion_alone:
                continue
            there = facts.get(entry.image)
            if there is None:
                self._add("other-facts", f"{entry.image!r} is not in {FACTS_FILE}; expected it there; kept")
                continue
            for key, left, right in (("type", entry.type, there.type), ("prompt", entry.prompt, there.caption)):
                if right is not None and same_spelling(right) != left:
                    self._add(
                        "other-facts",
                        f"{entry.image!r} has the {key} {left!r}, in {FACTS_FILE} {right!r}; expected the same; kept",
                    )

    def _count(self, entries: Sequence[Entry]) -> None:
        counts = Counter(word for entry in entries for word in set(entry.dimensions))
        for name, expected in DIMENSIONS.items():
            if counts[name] != expected:
                count = counts[name]
                shown = "1 entry counts" if count == 1 else f"{count} entries count"
                self._add("dimension-count", f"{shown} for {name!r}; expected {expected}")
        images = len({entry.image for entry in entries})
        if images != EXPECTED_IMAGES:
            self._add("image-count", f"the entries name {counted(images, 'image')}; expected {EXPECTED_IMAGES}")


def _is_wanted(entry: Entry, dimension: str | None) -> bool:
    if dimension is None:
        return not entry.is_of_camera_motion_alone
    return dimension in entry.dimensions
