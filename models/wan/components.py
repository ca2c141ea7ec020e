"""The networks of a Wan release, from random numbers or from the folders in which they are published."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import Dtype
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
from anisora.models.published import PublishedNetwork, find_network, states_of
from anisora.models.published_folders import Wanted, check_found, folder_of
from anisora.models.text_encoding import TextEncoder
from anisora.models.untrained import random_numbers
from anisora.models.wan.networks import (
    TEXT_LENGTH,
    empty_transformer,
    empty_vae,
    transformer_settings,
    vae_settings,
    wan_transformer,
    wan_vae,
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
_TINY_VAE: Final[Mapping[str, Any]] = {"dim": 4, "num_res_blocks": 1}
_EXPERTS: Final = ("high_noise_model", "low_noise_model")
_DIFFUSERS: Final = ("transformer", "transformer_2")
_VAE_FILE: Final = "Wan2.1_VAE"
_ORIGINAL: Final = "diffusion_pytorch_model"
"""Beginning of the names of an original checkpoint's shards."""


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

    transformers: tuple[PublishedNetwork, ...]
    vae: PublishedNetwork
    text: PublishedNetwork
    tokenizer: Path
    image: PublishedNetwork | None


def find_files(name: str, release: WanRelease, weights: str) -> WanFiles:
    """Find the parts of a release: transformers in its own folder, all else there or beside its base.

    The folder of a release is one of diffusers' (``transformer``, ``vae``, ...) or an original one (``config.json`` and
    shards at its top, or in ``high_noise_model`` and ``low_noise_model``).

    Args:
        name: Of the model.
        release: What is looked for.
        weights: A folder or hub's name in place of the released folder; empty for that.

    Raises:
        WeightsMissing: Parts are absent; all of them are named.
    """
    own, companions = folder_of(weights, release.folder), folder_of("", release.companions)
    count = 2 if release.experts else 1
    transformers = [_transformer(own, place, count) for place in range(count)]
    vae = _within(own, companions, "vae") or (find_network(own, only=_VAE_FILE) if own is not None else None)
    text, image = _within(own, companions, "text_encoder"), _within(own, companions, "image_encoder")
    words = next(
        (
            folder / "tokenizer"
            for folder in (own, companions)
            if folder is not None and (folder / "tokenizer").is_dir()
        ),
        None,
    )
    names = (_EXPERTS if release.experts else _DIFFUSERS)[:count]
    wanted: Wanted = {
        **{f"{release.folder}/{part}": _place(found) for part, found in zip(names, transformers, strict=True)},
        f"{release.companions}/vae": _place(vae),
        f"{release.companions}/text_encoder": _place(text),
        f"{release.companions}/tokenizer": words,
    }
    if not release.experts:
        wanted[f"{release.companions}/image_encoder"] = _place(image)
    check_found(name, wanted, release.sources)
    assert vae is not None
    assert text is not None
    assert words is not None
    there = tuple(found for found in transformers if found is not None)
    return WanFiles(there, vae, text, words, None if release.experts else image)


def _place(found: PublishedNetwork | None) -> Path | None:
    return None if found is None else found.folder


def _within(own: Path | None, companions: Path | None, part: str) -> PublishedNetwork | None:
    folders = (folder for folder in (own, companions) if folder is not None)
    return next((found for folder in folders if (found := find_network(folder / part)) is not None), None)


def _transformer(own: Path | None, place: int, count: int) -> PublishedNetwork | None:
    if own is None:
        return None
    converted = find_network(own / _DIFFUSERS[place])
    if converted is not None:
        return converted
    return find_network(own if count == 1 else own / _EXPERTS[place], only=_ORIGINAL)


def read_parts(files: WanFiles, *, dtype: Dtype) -> WanParts:
    """Read the networks of a release.

    The VAE is kept in float32, as the authors run it; in bfloat16 its frames have visible steps.

    Args:
        files: Found before.
        dtype: Number format of transformers and encoders.

    Raises:
        ConfigError: Tensors are not those of the configuration.
    """
    transformers = []
    for found in files.transformers:
        config = dict(found.config) or dict(PUBLISHED)
        image_dim = None if files.image is None else IMAGE_DIM
        transformers.append(wan_transformer(transformer_settings(config, image_dim), states_of(found), dtype=dtype))
    vae_config = (
        vae_settings(files.vae.config)
        if "_class_name" not in files.vae.config
        else {key: value for key, value in files.vae.config.items() if not key.startswith("_")}
    )
    return WanParts(
        transformers=tuple(transformers),
        vae=wan_vae(vae_config, states_of(files.vae)),
        text=TextEncoder(
            tokenizer=tokenizer(files.tokenizer),
            module=text_network(files.text, dtype=dtype),
            length=TEXT_LENGTH,
            masked=True,
        ),
        image=None if files.image is None else vision_network(files.image, dtype=dtype),
    )


def tiny_parts(release: WanRelease) -> WanParts:
    """Return small networks of the same classes with random numbers.

    Args:
        release: Says how many transformers there are and whether they see an image.
    """
    from diffusers import AutoencoderKLWan, WanTransformer3DModel

    settings = transformer_settings(_TINY, None if release.experts else TINY_IMAGE)
    tags = ("tiny-wan-high", "tiny-wan-low") if release.experts else ("tiny-wan",)
    return WanParts(
        transformers=tuple(random_numbers(WanTransformer3DModel(**settings), tag) for tag in tags),
        vae=random_numbers(AutoencoderKLWan(**vae_settings(_TINY_VAE)), "tiny-wan-vae"),
        text=TextEncoder(
            tokenizer=tiny_tokenizer(),
            module=tiny_text_network(multilingual=True),
            length=TEXT_LENGTH,
            masked=True,
        ),
        image=None if release.experts else tiny_image_network(),
    )


def shapes_alone(release: WanRelease, *, tiny: bool) -> tuple[Any, Any]:
    """Return a transformer and the VAE of a release without numbers, to count them.

    Args:
        release: As published.
        tiny: The small ones.
    """
    image_dim = None if release.experts else TINY_IMAGE if tiny else IMAGE_DIM
    config = _TINY if tiny else PUBLISHED
    return empty_transformer(transformer_settings(config, image_dim)), empty_vae(
        vae_settings(_TINY_VAE if tiny else {})
    )
