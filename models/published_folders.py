"""Where the folders of published models are: named by the user, below the weights folder, or fetched from a hub."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.weights import weight_folders
from anisora.models.conversion.finding import FoundNetwork
from anisora.models.published import PublishedNetwork, find_folder, find_original

__all__ = ["ReleaseFolders", "folder_of"]

_HUB: Final = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def folder_of(weights: str, folder: str) -> Path | None:
    """Return the folder of a model, or None where there is none.

    Args:
        weights: As the user named it: a folder, or ``hf:owner/name@revision``, which is fetched where the hub's cache
            does not have it; empty for the released folder.
        folder: Of the release, below the folders in which weights are looked for.

    Raises:
        ConfigError: A hub's name has no revision: what it means tomorrow is not known.
        WeightsMissing: The named folder does not exist, or the hub cannot be reached.
    """
    if not weights:
        places = (place / folder for place in weight_folders())
        return next((place for place in places if place.is_dir()), None)
    found = _HUB.fullmatch(weights)
    if found is None:
        path = Path(weights).expanduser()
        if not path.is_dir():
            raise WeightsMissing(
                f"`weights` got {weights!r}, which is no folder; expected a folder or hf:owner/name@revision."
            )
        return path
    if found["revision"] is None:
        raise ConfigError(
            f"`weights` got {weights!r} without a revision; expected hf:owner/name@REVISION, so that the same "
            "specification means the same files. Take the revision from the page of the model."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(found["name"], revision=found["revision"]))
    except Exception as error:  # the hub's client raises its own, requests' and the system's errors
        text = " ".join(str(error).split())[:160]
        raise WeightsMissing(
            f"`weights` got {weights!r}, which cannot be fetched ({type(error).__name__}: {text}); name a folder that "
            "is here, or set HF_ENDPOINT to a hub that can be reached."
        ) from error


@dataclass(frozen=True, slots=True)
class ReleaseFolders:
    """The folder of a release and the one that it shares with its base, each where it exists."""

    own: Path | None
    companions: Path | None
    original: Mapping[str, FoundNetwork]
    """Of the release's own folder, in the layouts of its authors: {part of a pipeline: network}."""
    against: str
    """Why the release's own folder has none of them; empty where it has, or there is no such folder."""

    @classmethod
    def find(cls, weights: str, *, own: str, companions: str) -> "ReleaseFolders":
        """Look for both.

        Args:
            weights: A folder or hub's name in place of the release's own; empty for that.
            own: Of the release, below the folders in which weights are looked for.
            companions: The same of its base.

        Raises:
            WeightsMissing: What ``weights`` names is not there, or a file of it is damaged.
            ConfigError: A hub's name has no revision.
        """
        found = folder_of(weights, own)
        networks, against = ({}, "") if found is None else find_original(found)
        return cls(found, folder_of("", companions), networks, against)

    def own_network(self, part: str) -> PublishedNetwork | FoundNetwork | None:
        """Return a network of the release's own folder, or None.

        Raises:
            WeightsMissing: A shard is absent.
        """
        return (None if self.own is None else find_folder(self.own / part)) or self.original.get(part)

    def library(self, part: str) -> PublishedNetwork | None:
        """Return a network of either folder in a library's layout, the release's own first, or None.

        Raises:
            WeightsMissing: A shard is absent.
        """
        folders = (folder for folder in (self.own, self.companions) if folder is not None)
        return next((found for folder in folders if (found := find_folder(folder / part)) is not None), None)

    def network(self, part: str) -> PublishedNetwork | FoundNetwork | None:
        """Return a network of either folder, the release's own first, or None.

        Raises:
            WeightsMissing: A shard is absent.
        """
        return self.own_network(part) or self.library(part)

    def path(self, part: str) -> Path | None:
        """Return a folder below either, the release's own first, or None."""
        places = (folder / part for folder in (self.own, self.companions) if folder is not None)
        return next((place for place in places if place.is_dir()), None)

    def check(self, model: str, wanted: Mapping[str, object | None], sources: Sequence[str]) -> None:
        """Raise WeightsMissing unless everything that a model needs was found.

        Args:
            model: Its name.
            wanted: {what: what was found, or None}.
            sources: Where it can be had.
        """
        lacking = [what for what, found in wanted.items() if found is None]
        if not lacking:
            return
        places = " or ".join(f"`{place}`" for place in weight_folders())
        raise WeightsMissing(
            f"Model {model!r} lacks {len(lacking)} of {len(wanted)} parts: {', '.join(lacking)}; looked in {places}. "
            f"They can be had from {', '.join(sources)}: put the folders there under these names, or name one with "
            "weights=DIR in the model's specification. A tiny model with random numbers needs none: add `tiny`."
            f"{f' Of `{self.own}`: {self.against}' if self.against else ''}"
        )
