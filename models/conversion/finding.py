"""Which networks a published file or folder holds, and which of its files are left out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError
from anisora.models.conversion.source import Source, checkpoints_in, open_source
from anisora.models.conversion.targets import TARGETS, Target

__all__ = ["FoundNetwork", "FoundNetworks", "find_networks", "read_config"]

_DEPTH: Final = 2
"""Folders below the one that was named: high_noise_model/, 1000/."""
_KNOWN_SHARE: Final = 0.5
"""A file whose keys are known by half is of the layout, and its other keys are mistakes."""
_OTHERS: Final[Mapping[str, str]] = {
    "models_t5_*": "the text encoder, which diffusers' own folders have unchanged",
    "models_clip_*": "the image encoder, which diffusers' own folders have unchanged",
}
"""{names of files in releases of Wan: what they are}"""
_SECOND_EXPERT: Final = "low_noise"
_INSIDE: Final = tuple(dict.fromkeys(each.layout.inside for each in TARGETS.values() if each.layout.inside))
_CONFIG: Final = "config.json"
_DIFFUSERS: Final = (
    "WanTransformer3DModel",
    "CogVideoXTransformer3DModel",
    "AutoencoderKLWan",
    "AutoencoderKLCogVideoX",
)
_NAMED: Final = 3  # keys spelled out in an error message


@dataclass(frozen=True, slots=True)
class FoundNetwork:
    """A checkpoint of a known layout."""

    source: Source
    layout: str
    """A key of ``TARGETS``."""
    folder: str
    """Where a pipeline of diffusers has it: transformer, transformer_2 or vae."""
    config: Mapping[str, Any] | None
    """The original configuration, where one lies beside."""

    @property
    def target(self) -> Target:
        """What it becomes."""
        return TARGETS[self.layout]


@dataclass(frozen=True, slots=True)
class FoundNetworks:
    """What a path holds."""

    networks: tuple[FoundNetwork, ...]
    left_out: Mapping[Path, str]
    """{file: why}"""


def find_networks(path: Path, *, layout: str | None = None, inside: str | None = None) -> FoundNetworks:
    """Find the networks of a published file or folder.

    Args:
        path: A file, the index of shards, or a folder of these and of folders below it.
        layout: Key of ``TARGETS``; None for what the keys tell.
        inside: Key under which pickled files hold their tensors; None for that of the layouts, or the top.

    Returns:
        One network or more, each in a folder of its own.

    Raises:
        WeightsMissing: A file is absent, cut off or damaged.
        ConfigError: No network of a known layout is there, or two that would be the same part of a pipeline.
    """
    if not path.is_dir():
        source = open_source(path, inside=inside, perhaps_inside=_INSIDE)
        return FoundNetworks((_found(path, source, layout or _layout_of(source)),), {})
    candidates, left_out = _candidates(path)
    networks: list[FoundNetwork] = []
    for each in candidates:
        try:
            source = open_source(each, inside=inside, perhaps_inside=_INSIDE)
            name = _layout_of(source) if layout is None or len(candidates) > 1 else layout
        except ConfigError as error:
            if len(candidates) == 1:
                raise
            left_out[each] = str(error)
            continue
        if layout in (None, name):
            networks.append(_found(path, source, name))
        else:
            left_out[each] = f"of the layout {name}"
    if not networks:
        reasons = "; ".join(f"{file.name}: {why}" for file, why in left_out.items()) or "no file with tensors"
        raise ConfigError(f"Folder `{path}` holds no network that is converted ({reasons}); name its file.")
    _check_apart(path, networks)
    return FoundNetworks(tuple(sorted(networks, key=lambda found: found.folder)), left_out)


def _candidates(folder: Path, depth: int = _DEPTH) -> tuple[list[Path], dict[Path, str]]:
    """Return what may be a network, and what is none by its name."""
    found: list[Path] = []
    others: dict[Path, str] = {}
    for path in checkpoints_in(folder):
        why = next((what for pattern, what in _OTHERS.items() if path.match(pattern)), None)
        if why is None:
            found.append(path)
        else:
            others[path] = why
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in below if depth else ():
        more, more_others = _candidates(path, depth - 1)
        found += more
        others |= more_others
    return found, others


def _layout_of(source: Source) -> str:
    """Return the layout that knows most of a checkpoint's keys.

    Raises:
        ConfigError: None knows half of them.
    """
    shares = {name: target.share_known(source.tensors) for name, target in TARGETS.items()}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] >= _KNOWN_SHARE:
        return best
    config = _config_beside(source.path)
    if config and config.get("_class_name") in _DIFFUSERS:
        raise ConfigError(f"Checkpoint `{source.path}` is in the layout of diffusers already; use its folder as it is.")
    keys = ", ".join(map(repr, list(source.tensors)[:_NAMED]))
    raise ConfigError(
        f"Checkpoint `{source.path}` has keys such as {keys}; expected those of one of the layouts "
        f"{', '.join(TARGETS)}; it may be another network's file."
    )


def _found(top: Path, source: Source, layout: str) -> FoundNetwork:
    target = TARGETS[layout]
    parts = source.path.relative_to(top).parts if top.is_dir() else source.path.absolute().parts[-2:]
    is_second = target.folder == "transformer" and any(_SECOND_EXPERT in part for part in parts)
    config = _config_beside(source.path) if target.takes_config else None
    return FoundNetwork(source, layout, f"{target.folder}_2" if is_second else target.folder, config)


def _config_beside(path: Path) -> Mapping[str, Any] | None:
    beside = path.with_name(_CONFIG)
    return read_config(beside) if beside.is_file() else None


def read_config(path: Path) -> Mapping[str, Any]:
    """Read an original configuration.

    Raises:
        ConfigError: The file is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"Configuration `{path}` cannot be read ({error}); name another with --config.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"Configuration `{path}` holds a {type(content).__name__}; expected a JSON object.")
    return content


def _check_apart(path: Path, networks: list[FoundNetwork]) -> None:
    places: dict[str, Source] = {}
    for found in networks:
        other = places.setdefault(found.folder, found.source)
        if other is not found.source:
            raise ConfigError(
                f"Folder `{path}` holds two networks for {found.folder}/: `{other.path}` and `{found.source.path}`; "
                "expected one; name the one to convert."
            )
