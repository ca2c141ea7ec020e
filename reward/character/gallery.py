"""Galleries of known characters: pictures by identity, and their embeddings, computed once and kept in one file.

The file is named by nothing but its own content: a digest over the pictures, their names, the network and the
preprocessing. It is checked whenever a gallery is loaded, so that pictures or weights that changed are never mistaken
for those that were embedded.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError, DataError, VideoUnreadable
from anisora.harness.protocols import VideoReader
from anisora.harness.record import digest_of
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Frames
from anisora.harness.weights import load_state_dict
from anisora.reward.character.figure_cut import FigureCut
from anisora.reward.character.gallery_score import identities_of
from anisora.reward.character.mask_crop import RECIPES

if TYPE_CHECKING:
    import torch

__all__ = [
    "PREPROCESS",
    "Crop",
    "Gallery",
    "build_gallery",
    "changed_crops",
    "gallery_digest",
    "load_gallery",
    "preprocess_of",
    "save_gallery",
]

PREPROCESS: Final = f"pillow-{RECIPES['gallery'].id}"
"""How pictures of a gallery reach the embedder: bicubic, whereas crops of clips are resized bilinearly."""
_FORMAT: Final = "anisora-gallery-1"
_BATCH: Final = 8
_MOST_NAMED: Final = 3

Embed = Callable[["torch.Tensor"], "torch.Tensor"]
"""(N, 3, side, side) normalised pictures to (N, D) embeddings."""


@dataclass(frozen=True, slots=True)
class Crop:
    """One picture of a gallery."""

    path: str
    """Below the gallery's folder, with forward slashes."""
    name: str
    """Whom it shows, as it is written; names that differ in case only are one identity."""
    sha256: str
    """Of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures of known characters, embedded."""

    crops: tuple[Crop, ...]
    embeddings: NDArray[np.float32]
    """(pictures, D), not normalised."""
    weights: str
    """Digest of the embedder's weights."""
    preprocess: str

    @property
    def names(self) -> tuple[str, ...]:
        """One for each picture."""
        return tuple(crop.name for crop in self.crops)

    @property
    def identities(self) -> dict[str, int]:
        """{identity: pictures}, in the order in which they appear first."""
        counts = Counter(name.lower() for name in self.names)
        return {identity: counts[identity] for identity in identities_of(self.names)}

    @property
    def digest(self) -> str:
        """Of all that the embeddings come from."""
        return gallery_digest(self.crops, weights=self.weights, preprocess=self.preprocess)


def gallery_digest(crops: Sequence[Crop], *, weights: str, preprocess: str = PREPROCESS) -> str:
    """Return the digest of a gallery before it is built: same digest, same embeddings.

    Paths are no part of it: a picture that is moved stays the same picture.
    """
    pictures = [[crop.name, crop.sha256] for crop in crops]
    return digest_of({"format": _FORMAT, "weights": weights, "preprocess": preprocess, "pictures": pictures})


def build_gallery(
    folder: Path,
    crops: Sequence[Crop],
    embed: Embed,
    *,
    reader: VideoReader,
    weights: str,
    side: int,
    cut: FigureCut | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Gallery:
    """Embed the pictures of a gallery.

    Args:
        folder: Where the crops' paths begin.
        crops: From ``gallery_listing``.
        embed: The embedder.
        reader: Opens the pictures.
        weights: Digest of the embedder's weights.
        side: Of the pictures that the embedder takes; pixels.
        cut: Cuts the character out first, where pictures show more; None: they are crops already.
        told: Is told of each batch how many pictures it had.

    Raises:
        DataError: Pictures cannot be read, or cut; the message counts them and names the first.
    """
    import torch

    embedded: list[NDArray[np.float32]] = []
    unreadable: list[str] = []
    for start in range(0, len(crops), _BATCH):
        batch = crops[start : start + _BATCH]
        pictures = []
        for crop in batch:
            try:
                picture = reader.read_image(folder / crop.path)
                pictures.append(_input(cut(crop.path, picture) if cut else picture, side))
            except VideoUnreadable as error:
                unreadable.append(f"`{crop.path}` ({error.reason}: {error.detail.rstrip('.')})")
            except DataError as error:
                unreadable.append(str(error))
        # After the first that cannot be read the others are only looked at, so that all of them are named.
        if not unreadable:
            embedded.append(np.asarray(embed(torch.cat(pictures)).numpy(), np.float32))
        told(len(batch))
    if unreadable:
        raise DataError(
            f"Gallery `{folder}` has {_counted(len(unreadable), 'picture')} that cannot be used: "
            f"{_some(unreadable)}. Replace or remove them."
        )
    return Gallery(
        crops=tuple(crops), embeddings=np.concatenate(embedded), weights=weights, preprocess=preprocess_of(cut)
    )


def preprocess_of(cut: FigureCut | None) -> str:
    """Return how pictures reach the embedder, in words that are part of a gallery's digest."""
    return PREPROCESS if cut is None else f"{cut.name}-{PREPROCESS}"


def _input(image: Frames, side: int) -> "torch.Tensor":
    from dataclasses import replace

    return replace(RECIPES["gallery"], side=side).picture(image)


def save_gallery(gallery: Gallery, path: Path) -> None:
    """Write a gallery as safetensors: its embeddings, and its pictures and digests beside them.

    Raises:
        ConfigError: The name does not end in .safetensors.
    """
    from safetensors.numpy import save

    if path.suffix != ".safetensors":
        raise ConfigError(f"`{path}` is no name for a gallery; expected one that ends in .safetensors.")
    facts = {
        "format": _FORMAT,
        "digest": gallery.digest,
        "weights": gallery.weights,
        "preprocess": gallery.preprocess,
        "embeddings": _digest_of_array(gallery.embeddings),
        "crops": json.dumps([[crop.path, crop.name, crop.sha256] for crop in gallery.crops], ensure_ascii=False),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(save({"embeddings": np.ascontiguousarray(gallery.embeddings)}, metadata=facts))
    partial.replace(path)


def load_gallery(path: Path, *, weights: str | None = None) -> Gallery:
    """Read a gallery and check that it is whole and of this code.

    Args:
        path: From ``save_gallery``.
        weights: Digest of the weights that the queries are embedded with; None: of whatever they are.

    Raises:
        DataError: The file is none, is damaged, or was embedded by other weights or another preprocessing.
    """
    facts = _facts(path)
    try:
        crops = tuple(Crop(*map(str, entry)) for entry in json.loads(facts["crops"]))
    except (ValueError, TypeError) as error:
        raise DataError(f"Gallery `{path}` is damaged: its list of pictures cannot be read. Build it again.") from error
    embeddings = np.asarray(load_state_dict(path, framework="numpy")["embeddings"], np.float32)
    gallery = Gallery(crops=crops, embeddings=embeddings, weights=facts["weights"], preprocess=facts["preprocess"])
    if (
        gallery.digest != facts["digest"]
        or _digest_of_array(embeddings) != facts["embeddings"]
        or embeddings.ndim != 2
        or len(embeddings) != len(crops)
    ):
        raise DataError(f"Gallery `{path}` is damaged: its content is not that of its digests. Build it again.")
    if not gallery.preprocess.endswith(PREPROCESS):
        raise DataError(
            f"Gallery `{path}` was prepared as {gallery.preprocess!r}; expected {PREPROCESS!r}. Build it again."
        )
    if weights is not None and gallery.weights != weights:
        raise DataError(
            f"Gallery `{path}` was embedded by weights {gallery.weights[:12]}; those in use are {weights[:12]}. "
            "Build it again."
        )
    return gallery


def changed_crops(gallery: Gallery, folder: Path) -> list[str]:
    """Return what is no longer as it was embedded, one line a picture: gone, or of another content."""
    found = []
    for crop in gallery.crops:
        path = folder / crop.path
        if not path.is_file():
            found.append(f"`{crop.path}` is gone")
        elif (digest := sha256_of_file(path)) != crop.sha256:
            found.append(f"`{crop.path}` has sha256 {digest[:12]}, the gallery embedded {crop.sha256[:12]}")
    return found


def _facts(path: Path) -> Mapping[str, str]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DataError(f"Gallery `{path}` does not exist; build it: anisora reward gallery build DIR")
    try:
        with safe_open(path, framework="numpy") as file:
            facts: dict[str, Any] = file.metadata() or {}
    except SafetensorError as error:
        raise DataError(f"Gallery `{path}` is damaged or none ({error}). Build it again.") from error
    if facts.get("format") != _FORMAT:
        raise DataError(f"`{path}` has the format {facts.get('format')!r}; expected {_FORMAT!r}. Build it again.")
    lacking = [name for name in ("digest", "weights", "preprocess", "embeddings", "crops") if name not in facts]
    if lacking:
        raise DataError(f"Gallery `{path}` is damaged: it lacks {', '.join(lacking)}. Build it again.")
    return facts


def _digest_of_array(array: NDArray[np.float32]) -> str:
    header = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("s" if number != 1 else "")


def _some(lines: Sequence[str]) -> str:
    rest = len(lines) - _MOST_NAMED
    return "; ".join(lines[:_MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
