"""The actions that the benchmark's labels are counted under: ``anisora_actions.yaml``, read and checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import yaml

__all__ = ["NO_STYLE", "Action", "Actions", "known_actions", "label_key"]

NO_STYLE: Final = "none"
"""How an id without a style is counted."""

_LARGEST_LABEL: Final = 30
"""Of clips; the README of Index-anisora says 10 to 30 for each label."""


def label_key(label: str) -> str:
    """Return what two spellings of a raw label have in common: ids without a style leave underscores out."""
    return label.replace("_", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What raw labels of one meaning are counted under."""

    name: str
    en: str
    zh: str
    seen: int
    """Clips of it among the ids that are public."""

    @property
    def most(self) -> int | None:
        """The largest number of clips expected; None where the public ids alone are more than the README says."""
        return None if self.seen > _LARGEST_LABEL else _LARGEST_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """All that is known of the labels."""

    by_key: Mapping[str, Action]
    """By raw label, underscores taken out."""
    spellings: Mapping[str, Mapping[str, tuple[int, int]]]
    """{raw label: {style: (clips, highest index)}} of the public ids."""
    styles: tuple[str, ...]
    """The prefixes that ids may have."""
    sha256: str
    """Of the file."""


@cache
def known_actions() -> Actions:
    """Read the file that lies in the package."""
    content = files("anisora.datasets").joinpath("anisora_actions.yaml").read_bytes()
    data = yaml.safe_load(content)
    by_key: dict[str, Action] = {}
    spellings: dict[str, Mapping[str, tuple[int, int]]] = {}
    for name, entry in data["actions"].items():
        counts = [count for raw in entry["raw"].values() for count, _ in raw["seen"].values()]
        action = Action(name=name, en=entry["en"], zh=entry["zh"], seen=sum(counts))
        for spelling, raw in entry["raw"].items():
            assert label_key(spelling) not in by_key, f"{spelling} stands under two actions"
            by_key[label_key(spelling)] = action
            spellings[spelling] = MappingProxyType(
                {style: (count, highest) for style, (count, highest) in raw["seen"].items()}
            )
    return Actions(
        by_key=MappingProxyType(by_key),
        spellings=MappingProxyType(spellings),
        styles=tuple(style for style in data["styles"] if style != NO_STYLE),
        sha256=hashlib.sha256(content).hexdigest(),
    )
