"""Systems that are not run here, as data: who makes them, how their clips are had, which published row is theirs."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from anisora.harness.protocols import SystemInfo

__all__ = ["RECORDED", "SystemEntry", "recorded_systems"]

RECORDED: Final = "recorded/"
"""Their names as models begin so."""


class SystemEntry(BaseModel):
    """A system of ``recorded_systems.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    revision: str
    licence: str
    """Or the terms of use, where there is only an API."""
    commercial_use: bool
    system: SystemInfo


@cache
def recorded_systems() -> Mapping[str, SystemEntry]:
    """Return {name: system}, names without ``recorded/``."""
    text = files("anisora.models").joinpath("recorded_systems.yaml").read_text(encoding="utf-8")
    own = [name for name in SystemEntry.model_fields if name != "system"]
    entries = {
        name: {
            **{field: entry[field] for field in own},
            "system": {field: value for field, value in entry.items() if field not in own},
        }
        for name, entry in yaml.safe_load(text).items()
    }
    return TypeAdapter(dict[str, SystemEntry]).validate_python(entries)
