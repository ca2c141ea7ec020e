"""The examples of Index-anisora's READMEs: ``showcase_13.yaml``, read and checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import yaml

__all__ = ["LANGUAGES", "MASK", "POSITIONS", "Example", "Examples", "known_examples"]

POSITIONS: Final[Mapping[str, float]] = MappingProxyType({"first": 0.0, "middle": 0.5, "last": 1.0})
"""{place of an image in the clip: its position}"""
MASK: Final = "mask"
"""The place of a region mask."""
LANGUAGES: Final = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One of the thirteen."""

    number: int
    id: str
    control: str
    """What conditions it beside the prompt: image-to-video, temporal-control or region-control."""
    files: Mapping[str, str]
    """{place: file of the repository}; a place is one of ``POSITIONS``, or ``MASK``."""
    prompts: Mapping[str, str]
    """{language: prompt}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """All of them."""

    items: tuple[Example, ...]
    source: Mapping[str, Any]
    """Repository, files, commits and licence of the prompts."""
    sha256: str
    """Of the file."""


@cache
def known_examples() -> Examples:
    """Read the file that lies in the package."""
    content = files("anisora.datasets").joinpath("showcase_13.yaml").read_bytes()
    data = yaml.safe_load(content)
    items = []
    for entry in data["items"]:
        masks = {MASK: entry["mask"]} if "mask" in entry else {}
        assert entry["images"].keys() <= POSITIONS.keys(), entry["id"]
        items.append(
            Example(
                number=entry["number"],
                id=entry["id"],
                control=entry["control"],
                files=MappingProxyType(entry["images"] | masks),
                prompts=MappingProxyType({language: entry[language] for language in LANGUAGES}),
            )
        )
    return Examples(
        items=tuple(items), source=MappingProxyType(data["source"]), sha256=hashlib.sha256(content).hexdigest()
    )
