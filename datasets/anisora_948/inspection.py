"""Looks a benchmark folder through: which items are whole, and every defect of the others, one line each."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from anisora.datasets.anisora_948.actions import known_actions
from anisora.datasets.anisora_948.clip_ids import ClipId, UnknownStyleError, WrongIdError, read_clip_id
from anisora.datasets.anisora_948.found_files import FoundFiles, find_files
from anisora.datasets.anisora_948.listed_prompts import ListedPrompt, ListedPrompts, read_listed_prompts
from anisora.datasets.importing.defects import Defect, counted, identical_files, in_order, unreadable_image
from anisora.datasets.importing.found_files import digests_below
from anisora.harness.errors import nearest
from anisora.harness.inputs.paths import shortened
from anisora.harness.media.headers import clip_problem

__all__ = ["DEFECT_KINDS", "EXPECTED_ITEMS", "SMALLEST_LABEL", "DefectKind", "Inspection", "Item", "inspect"]

EXPECTED_ITEMS: Final = 948
SMALLEST_LABEL: Final = 10
"""Of clips; the README of Index-anisora says 10 to 30 for each label."""

_MOST_GUESSES: Final = 50

DefectKind = Literal[
    "wrong-id",
    "unknown-style",
    "unknown-label",
    "duplicate-id",
    "missing-clip",
    "missing-image",
    "missing-prompt",
    "prompt-without-item",
    "wrong-line",
    "position-out-of-range",
    "unreadable-text",
    "unreadable-clip",
    "unreadable-image",
    "identical-files",
    "label-count",
    "item-count",
]
DEFECT_KINDS: Final[tuple[DefectKind, ...]] = get_args(DefectKind)
"""In the order in which they are reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A whole item."""

    id: ClipId
    name: str
    """The id as it is written."""
    clip: Path
    image: Path
    listed: ListedPrompt
    mask: Path | None = None
    """Of the region that is to move, where the user put one beside the authors' files."""


@dataclass(slots=True, kw_only=True)
class Inspection:
    """What a folder holds."""

    root: Path
    items: list[Item] = field(default_factory=list)
    """In natural order of their ids."""
    defects: list[Defect] = field(default_factory=list)
    """In the order of ``DEFECT_KINDS``."""
    found: dict[str, ClipId] = field(default_factory=dict)
    """Every well-formed id that has a clip or an image."""
    lists: dict[str, str] = field(default_factory=dict)
    """{list of prompts: its encoding}"""
    sha256: dict[str, str] = field(default_factory=dict)
    """{file, relative to the root: digest} of every clip, image and list that can be read."""

    @property
    def left_out(self) -> list[str]:
        """The ids that have a defect, each once."""
        return list(dict.fromkeys(defect.id for defect in self.defects if defect.id is not None))

    def labels(self) -> dict[str, Counter[str]]:
        """Return {label: {style: items}} of the whole items, the largest label first."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for item in self.items:
            counts[item.id.label][item.id.style] += 1
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1].total(), pair[0])))

    def unmapped(self) -> dict[str, int]:
        """Return {raw label: ids found} of the labels that are not on the list."""
        return dict(Counter(found.raw_label for found in self.found.values() if found.action is None))


def inspect(root: Path) -> Inspection:
    """Look through a folder.

    Raises:
        DataError: The folder cannot be listed.
    """
    inspection = Inspection(root=root)
    files = find_files(root)
    prompts = read_listed_prompts(files.texts, root)
    _Inspector(inspection, files, prompts).run()
    inspection.defects = in_order(inspection.defects, DEFECT_KINDS)
    return inspection


class _Inspector:
    """Fills an inspection step by step; an id with a defect goes no further than the step that found it."""

    def __init__(self, inspection: Inspection, files: FoundFiles, prompts: ListedPrompts) -> None:
        self._inspection, self._files, self._prompts = inspection, files, prompts

    def run(self) -> None:
        self._read_ids()
        self._hash_files()
        self._read_prompts()
        whole = self._with_one_file_each(self._inspection.found)
        whole = self._readable(whole)
        whole = self._distinct(whole, "clip", lambda item: item.clip)
        self._inspection.items = self._distinct(whole, "image", lambda item: item.image)
        self._count()

    def _add(self, kind: DefectKind, message: str, item: str | None = None) -> None:
        self._inspection.defects.append(Defect(kind=kind, message=message, id=item))

    def _shown(self, path: Path) -> str:
        return f"`{path.relative_to(self._inspection.root)}`"

    def _read_ids(self) -> None:
        for stem in self._files.stems:
            try:
                self._inspection.found[stem] = read_clip_id(stem)
            except WrongIdError as error:
                paths = [*self._files.clips.get(stem, []), *self._files.images.get(stem, [])]
                kind: DefectKind = "unknown-style" if isinstance(error, UnknownStyleError) else "wrong-id"
                self._add(kind, f"{' and '.join(map(self._shown, paths))}: {error}", stem)
        for name, paths in self._files.masks.items():
            if name not in self._inspection.found:
                self._add("wrong-id", f"{self._shown(paths[0])} is a mask of {name!r}, which has no clip and no image")
        for label, count in self._inspection.unmapped().items():
            guess = nearest(label, known_actions().spellings)
            hint = f" (nearest: {guess!r})" if guess else ""
            items = counted(count, "item")
            self._add("unknown-label", f"{label!r} of {items} is not on the list of labels{hint}; kept, unmapped")

    def _hash_files(self) -> None:
        paths = (*self._files_of_ids(), *self._prompts.lists)
        self._inspection.sha256 = digests_below(self._inspection.root, paths)
        self._inspection.lists = {
            path.relative_to(self._inspection.root).as_posix(): encoding
            for path, encoding in self._prompts.lists.items()
        }

    def _files_of_ids(self) -> Iterable[Path]:
        for by_stem in (self._files.clips, self._files.images, self._files.masks):
            for paths in by_stem.values():
                yield from paths

    def _read_prompts(self) -> None:
        for problem in self._prompts.problems:
            self._add(problem.kind, problem.message)
        stems = set(self._files.stems)
        strays = {name: lines for name, lines in self._prompts.by_id.items() if name not in stems}
        for name, lines in strays.items():
            # A list of another folder fits nothing here: then no name is near, and looking takes long.
            guess = nearest(name, stems) if len(strays) <= _MOST_GUESSES else None
            hint = f" (nearest: {guess!r})" if guess else ""
            for line in lines:
                self._add("prompt-without-item", f"{line.where}: {shortened(name)} has no clip and no image{hint}")

    def _with_one_file_each(self, found: Mapping[str, ClipId]) -> list[Item]:
        items = []
        for name, clip_id in found.items():
            before = len(self._inspection.defects)
            clip = self._only(name, self._files.clips.get(name, []), "missing-clip", "clip")
            image = self._only(name, self._files.images.get(name, []), "missing-image", "image")
            masks = self._files.masks.get(name, [])
            mask = self._only(name, masks, "missing-image", "mask") if masks else None
            listed = self._prompt_of(name)
            if clip and image and listed and len(self._inspection.defects) == before:
                items.append(Item(id=clip_id, name=name, clip=clip, image=image, listed=listed, mask=mask))
        return items

    def _only(self, name: str, paths: list[Path], missing: DefectKind, what: str) -> Path | None:
        if not paths:
            suffix = "mp4" if what == "clip" else "png"
            self._add(missing, f"{name!r} has no {what}; expected {name}.{suffix}", name)
            return None
        if len(paths) > 1:
            places = " and ".join(map(self._shown, paths))
            self._add("duplicate-id", f"{name!r} has {len(paths)} {what}s, {places}; expected one", name)
        return paths[0]

    def _prompt_of(self, name: str) -> ListedPrompt | None:
        lines = self._prompts.by_id.get(name, [])
        if not lines or not lines[0].prompt:
            where = f"{lines[0].where}: " if lines else ""
            self._add("missing-prompt", f"{where}{name!r} has no prompt; expected a line prompt@@{name}.png", name)
            return None
        for other in lines[1:]:
            # V2's and V3's lists hold the same prompts with other suffixes and positions.
            if other.prompt != lines[0].prompt:
                places = f"{lines[0].where} and {other.where}"
                self._add("duplicate-id", f"{name!r} has two prompts, {places}; expected one", name)
                break
        for line in lines:
            wrong = [position for position in line.positions if not 0 <= position <= 1]
            if wrong:
                self._add(
                    "position-out-of-range",
                    f"{line.where}: {name!r} has the position {wrong[0]:g}; expected 0 (first frame) to 1 (last)",
                    name,
                )
        return lines[0]

    def _readable(self, items: list[Item]) -> list[Item]:
        readable = []
        for item in items:
            clip = clip_problem(item.clip)
            pictures = [item.image, *([item.mask] if item.mask else [])]
            images = [wrong for path in pictures if (wrong := unreadable_image(path, self._shown(path), item.name))]
            if clip:
                self._add(
                    "unreadable-clip", f"{self._shown(item.clip)}: {clip.rstrip('.')}; expected a video", item.name
                )
            self._inspection.defects += images
            if not clip and not images:
                readable.append(item)
        return readable

    def _distinct(self, items: list[Item], what: str, file_of: Callable[[Item], Path]) -> list[Item]:
        digests = self._inspection.sha256
        copies = identical_files(
            [(item.name, digests[file_of(item).relative_to(self._inspection.root).as_posix()]) for item in items], what
        )
        self._inspection.defects += copies
        left_out = {copy.id for copy in copies}
        return [item for item in items if item.name not in left_out]

    def _count(self) -> None:
        found = self._inspection.found
        by_action = Counter(clip_id.action for clip_id in found.values() if clip_id.action)
        for name, action in sorted({action.name: action for action in known_actions().by_key.values()}.items()):
            count, most = by_action[name], action.most
            if count < SMALLEST_LABEL or (most is not None and count > most):
                expected = f"{SMALLEST_LABEL} or more" if most is None else f"{SMALLEST_LABEL} to {most}"
                self._add("label-count", f"{name!r} has {counted(count, 'clip')}; expected {expected}")
        if len(found) != EXPECTED_ITEMS:
            self._add("item-count", f"here are {counted(len(found), 'item')}; expected {EXPECTED_ITEMS}")
