"""The networks of a Wan release, from random numbers or from the folders in which they are published."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import Dtype
from anisora.models.conversion.finding import FoundNetwork
from anisora.models.library_networks import (
    TINY_IMAGE,
    TINY_TEXT,
    text_network,
    tiny_image_network,
    tiny_text_network,
    tiny_tokenizer,
    tokenizer,
    vision_network,
)
from anisora.models.published import PublishedNetwork, empty_network, files_of, read_network
from anisora.models.published_folders import ReleaseFolders
from anisora.models.text_encoding import TextEncoder
from anisora.models.untrained import random_numbers
from anisora.models.wan.networks import (
    TEXT_LENGTH,
    cast_network,
    empty_transformer,
    empty_vae,
    transformer_settings,
    vae_settings,
)
from anisora.models.wan.releases import WanRelease

__all__ = ["IMAGE_DIM", "PUBLISHED", "WanFiles", "WanParts", "find_files", "read_parts", "shapes_alone", "tiny_parts"]

PUBLISHED: Final[Mapping[str, Any]] = {
    "dim": 5120,
    "ffn_dim": 13824,
    "freq_dim": 256,
    "in_dim": 36,
    "out_dim": 16,
    "num_heads": 40,
    "num_layers": 40,
}
"""The configuration of all 14B networks, for folders that have none."""
IMAGE_DIM: Final = 1280
_TINY: Final[Mapping[str, Any]] = {
    "dim": 48,
    "ffn_dim": 64,
    "freq_dim": 32,
    "in_dim": 36,
    "out_dim": 16,
    "num_heads": 2,
    "num_layers": 2,
    "text_dim": TINY_TEXT,
}
_TINY_VAE: Final[Mapping[str, Any]] = {"dim": 4}
_TRANSFORMER: Final = "WanTransformer3DModel"
_VAE: Final = "AutoencoderKLWan"
_DIFFUSERS: Final = ("transformer", "transformer_2")


@dataclass(frozen=True, slots=True)
class WanParts:
    """The networks of a release, on the CPU."""

    transformers: tuple[Any, ...]
    """One, or the expert for high noise and that for low."""
    vae: Any
    text: TextEncoder
    image: Any | None
    """CLIP, for transformers with an image branch."""


@dataclass(frozen=True, slots=True)
class WanFiles:
    """Where the parts of a release are read from."""

    transformers: tuple[PublishedNetwork | FoundNetwork, ...]
    vae: PublishedNetwork | FoundNetwork
    text: PublishedNetwork
    tokenizer: Path
    image: PublishedNetwork | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file of tensors."""
        return tuple(
            path for found in (*self.transformers, self.vae, self.text, self.image) for path in files_of(found)
        )


def find_files(name: str, release: WanRelease, weights: str) -> WanFiles:
    """Find the parts of a release: transformers in its own folder, all else there or beside its base.

    The folder of a release is one of diffusers' (``transformer``, ``vae``, ...) or an original one (``config.json`` and
    shards at its top, or in ``high_noise_model`` and ``low_noise_model``; a VAE as ``.pth``).

    Args:
        name: Of the model.
        release: What is looked for.
        weights: A folder or hub's name in place of the released folder; empty for that.

    Raises:
        WeightsMissing: Parts are absent; all of them are named.
    """
    folders = ReleaseFolders.find(weights, own=release.folder, companions=release.companions)
    parts = _DIFFUSERS if release.experts else _DIFFUSERS[:1]
    transformers = [folders.own_network(part) for part in parts]
    vae = folders.network("vae")
    text, image, words = folders.library("text_encoder"), folders.library("image_encoder"), folders.path("tokenizer")
    folders.check(
        name,
        {
            **{f"{release.folder}/{part}": found for part, found in zip(parts, transformers, strict=True)},
            **{f"{release.companions}/{part}": found for part, found in (("vae", vae), ("text_encoder", text))},
            f"{release.companions}/tokenizer": words,
            **({} if release.experts else {f"{release.companions}/image_encoder": image}),
        },
        release.sources,
    )
    assert vae is not None
    assert text is not None
    assert words is not None
    there = tuple(found for found in transformers if found is not None)
    return WanFiles(there, vae, text, words, None if release.experts else image)


def read_parts(files: WanFiles, *, dtype: Dtype) -> WanParts:
    """Read the networks of a release.

    The VAE is kept in float32, as the authors run it.

    Args:
        files: Found before.
        dtype: Number format of transformers and encoders.

    Raises:
        ConfigError: Tensors are not those of the configuration.
    """
    return WanParts(
        transformers=tuple(
            read_network(found, _TRANSFORMER, empty_transformer, dtype=dtype) for found in files.transformers
        ),
        vae=read_network(files.vae, _VAE, empty_vae, dtype="float32"),
        text=TextEncoder(
            tokenizer=tokenizer(files.tokenizer),
            module=text_network(files.text, dtype=dtype),
            length=TEXT_LENGTH,
            masked=True,
        ),
        image=None if files.image is None else vision_network(files.image, dtype=dtype),
    )


def tiny_parts(release: WanRelease, dtype: Dtype = "float32") -> WanParts:
    """Return small networks of the same classes with random numbers.

    Args:
        release: Says how many transformers there are and whether they see an image.
        dtype: Of the transformers.
    """
    from diffusers import AutoencoderKLWan, WanTransformer3DModel

    settings = transformer_settings(_TINY, None if release.experts else TINY_IMAGE)
    tags = ("tiny-wan-high", "tiny-wan-low") if release.experts else ("tiny-wan",)
    return WanParts(
        transformers=tuple(cast_network(random_numbers(WanTransformer3DModel(**settings), tag), dtype) for tag in tags),
        vae=random_numbers(AutoencoderKLWan(**vae_settings(_TINY_VAE)), "tiny-wan-vae"),
        text=TextEncoder(
            tokenizer=tiny_tokenizer(),
            module=tiny_text_network(multilingual=True),
            length=TEXT_LENGTH,
            masked=True,
        ),
        image=None if release.experts else tiny_image_network(),
    )


def shapes_alone(release: WanRelease, files: WanFiles | None, *, tiny: bool) -> tuple[Any, Any]:
    """Return a transformer and the VAE of a release without numbers, to count them.

    Args:
        release: As published.
        files: Whose networks they are; None for the published ones.
        tiny: The small ones with random numbers.
    """
    if files is not None:
        return (
            empty_network(files.transformers[0], _TRANSFORMER, empty_transformer),
            empty_network(files.vae, _VAE, empty_vae),
        )
    image_dim = None if release.experts else TINY_IMAGE if tiny else IMAGE_DIM
    config = _TINY if tiny else PUBLISHED
    vae = empty_vae(vae_settings(_TINY_VAE if tiny else {}))
    return empty_transformer(transformer_settings(config, image_dim)), vae
