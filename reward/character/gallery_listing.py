"""Which pictures a gallery has and whom they show: from folders by identity, or from the release's index."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from anisora.harness.errors import DataError
from anisora.harness.runfolder import sha256_of_file
from anisora.reward.character.gallery import Crop
from anisora.reward.character.gallery_score import identities_of

__all__ = ["crops_of_folders", "crops_of_index"]

_SUFFIXES: Final = (".jpeg", ".jpg", ".png")
_FEWEST: Final = 2


def crops_of_folders(folder: Path) -> list[Crop]:
    """List the pictures of ``folder/<identity>/*.png`` or ``.jpg``, identities and pictures sorted by name.

    Names that begin with a dot are passed over.

    Raises:
        DataError: The folder is none, an identity has no picture, two differ in case only, or there are fewer than two.
    """
    if not folder.is_dir():
        raise DataError(f"Gallery `{folder}` is not a folder; expected one with a folder for each character.")
    people = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    _refuse_alike(folder, [path.name for path in people])
    _refuse_too_few(folder, [path.name for path in people])
    crops = []
    for person in people:
        pictures = sorted(
            path
            for path in person.iterdir()
            if path.is_file() and path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        )
        if not pictures:
            raise DataError(
                f"Gallery `{folder}` has no picture of {person.name!r}; add .png or .jpg files, or remove the folder."
            )
        crops += [Crop(f"{person.name}/{path.name}", person.name, sha256_of_file(path)) for path in pictures]
    return crops


def crops_of_index(folder: Path, index: Path) -> list[Crop]:
    """List the pictures of an index as the release has it: a JSON list of {image, caption}.

    Paths in the index may begin anywhere above the folder, as those of the machine that wrote it do: the longest end of
    a path that is a file below the folder counts. Names that differ in case only are one identity, as in the reference.

    Args:
        folder: Where the pictures are, such as the unpacked ``videos`` folder's parent.
        index: The file.

    Raises:
        DataError: The index cannot be read or has other entries, pictures are missing, or fewer than two identities.
    """
    if not folder.is_dir():
        raise DataError(f"Gallery `{folder}` is not a folder; expected the one with the pictures of `{index}`.")
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"Gallery index `{index}` cannot be read ({error}); expected a JSON list. Fetch it again."
        ) from error
    if not isinstance(entries, list):
        raise DataError(f"Gallery index `{index}` holds a {type(entries).__name__}; expected a JSON list. Correct it.")
    pairs = [_pair(index, place, entry) for place, entry in enumerate(entries)]
    _refuse_too_few(index, [name for _, name in pairs])
    found = [(_below(folder, image), image, name) for image, name in pairs]
    missing = [image for path, image, _ in found if path is None]
    if missing:
        raise DataError(
            f"Gallery `{folder}` lacks {len(missing)} of the {len(pairs)} pictures of `{index}`, the first "
            f"{missing[0]!r}; unpack the archive of the crops there."
        )
    return [Crop(path, name, sha256_of_file(folder / path)) for path, _, name in found if path is not None]


def _pair(index: Path, place: int, entry: object) -> tuple[str, str]:
    image, name = (entry.get("image"), entry.get("caption")) if isinstance(entry, dict) else (None, None)
    if not isinstance(image, str) or not isinstance(name, str) or not image or not name.strip():
        raise DataError(
            f"Gallery index `{index}` has entry {place} {str(entry)[:60]!r}; expected "
            '{"image": a path, "caption": a name}. Correct it.'
        )
    return image, name


def _below(folder: Path, image: str) -> str | None:
    """Return the longest end of a path that is a file below the folder."""
    parts = [part for part in PurePosixPath(image.replace("\\", "/")).parts if part not in ("/", ".")]
    if ".." in parts:
        return None
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if (folder / end).is_file()), None)


def _refuse_alike(folder: Path, names: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name:
            raise DataError(
                f"Gallery `{folder}` has the identities {other!r} and {name!r}, which differ in case only and count as "
                "one; put their pictures into one folder."
            )


def _refuse_too_few(source: Path, names: Sequence[str]) -> None:
    identities = identities_of(names)
    if len(identities) < _FEWEST:
        raise DataError(
            f"Gallery `{source}` has {len(identities)} identities ({', '.join(identities) or 'none'}); expected two or "
            "more, since the only one would always win. Add a folder of pictures for each character."
        )
