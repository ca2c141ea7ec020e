"""Where the folders of published models are: named by the user, below the weights folder, or fetched from a hub."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.weights import weight_folders

__all__ = ["Wanted", "check_found", "folder_of"]

_HUB: Final = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")

Wanted = dict[str, Path | None]
"""{what: the folder or file it was found in, or None}"""


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


def check_found(model: str, wanted: Wanted, sources: Sequence[str]) -> None:
    """Raise WeightsMissing unless everything that a model needs was found.

    Args:
        model: Its name.
        wanted: What was looked for.
        sources: Where it can be had.
    """
    lacking = [what for what, found in wanted.items() if found is None]
    if not lacking:
        return
    places = " or ".join(f"`{place}`" for place in weight_folders())
    raise WeightsMissing(
        f"Model {model!r} lacks {len(lacking)} of {len(wanted)} parts: {', '.join(lacking)}; looked in {places}. They "
        f"can be had from {', '.join(sources)}: put the folders there under these names, or name one with weights=DIR in "
        "the model's specification. A tiny model with random numbers needs none: add `tiny`."
    )
