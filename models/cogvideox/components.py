"""The networks of a CogVideoX release, from random numbers or from the folders in which they are published."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import Dtype, torch_dtype
from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.autoencoder import build_autoencoder
from anisora.models.cogvideox.networks import NormEpsilons, TransformerSizes, build_transformer, set_epsilons
from anisora.models.cogvideox.releases import CogVideoXRelease
from anisora.models.conversion.finding import FoundNetwork
from anisora.models.library_networks import TINY_TEXT, text_network, tiny_text_network, tiny_tokenizer, tokenizer
from anisora.models.published import PublishedNetwork, empty_network, files_of, read_network
from anisora.models.published_folders import ReleaseFolders
from anisora.models.text_encoding import TextEncoder
from anisora.models.untrained import random_numbers

__all__ = ["CogVideoXFiles", "CogVideoXParts", "find_files", "read_parts", "shapes_alone", "tiny_parts"]

TEXT_LENGTH: Final = 226
_TRANSFORMER: Final = "CogVideoXTransformer3DModel"
_VAE: Final = "AutoencoderKLCogVideoX"
_POSITIONS: Final = "patch_embed.pos_embedding"
_TINY: Final = TransformerSizes(
    hidden_size=64, num_heads=2, head_dim=32, num_layers=2, time_embed_dim=32, text_dim=TINY_TEXT
)
_TINY_VAE: Final[Mapping[str, Any]] = {
    "block_out_channels": (8, 8, 8, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "sample_height": 96,
    "sample_width": 80,
}


@dataclass(frozen=True, slots=True)
class CogVideoXParts:
    """The networks of a release, on the CPU."""

    transformer: Any
    vae: Any
    text: TextEncoder


@dataclass(frozen=True, slots=True)
class CogVideoXFiles:
    """Where the parts of a release are read from."""

    transformer: PublishedNetwork | FoundNetwork
    vae: PublishedNetwork | FoundNetwork
    text: PublishedNetwork
    tokenizer: Path

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file of tensors."""
        return tuple(path for found in (self.transformer, self.vae, self.text) for path in files_of(found))


def find_files(name: str, release: CogVideoXRelease, weights: str) -> CogVideoXFiles:
    """Find the parts of a release: the transformer in its own folder, all else there or beside its base.

    Args:
        name: Of the model.
        release: What is looked for.
        weights: A folder or hub's name in place of the released folder; empty for that. It is one of diffusers', or
            holds SAT's ``mp_rank_00_model_states.pt``.

    Raises:
        WeightsMissing: Parts are absent; all of them are named.
    """
    folders = ReleaseFolders.find(weights, own=release.folder, companions=release.companions)
    transformer, vae = folders.own_network("transformer"), folders.network("vae")
    text, words = folders.library("text_encoder"), folders.path("tokenizer")
    folders.check(
        name,
        {
            f"{release.folder}/transformer": transformer,
            f"{release.companions}/vae": vae,
            f"{release.companions}/text_encoder": text,
            f"{release.companions}/tokenizer": words,
        },
        release.sources,
    )
    assert transformer is not None
    assert vae is not None
    assert text is not None
    assert words is not None
    return CogVideoXFiles(transformer, vae, text, words)


def read_parts(files: CogVideoXFiles, release: CogVideoXRelease, *, dtype: Dtype) -> CogVideoXParts:
    """Read the networks of a release.

    Args:
        files: Found before.
        release: Says whose epsilons the transformer has: no file tells.
        dtype: Number format.

    Raises:
        ConfigError: Tensors are not those of the configuration.
    """
    found = files.transformer if release.stock else _without_learned_positions(files.transformer)
    transformer = read_network(
        found, _TRANSFORMER, build_transformer, dtype=dtype, superfluous=() if release.stock else (_POSITIONS,)
    )
    if not release.stock:
        set_epsilons(transformer, NormEpsilons())
    vae = read_network(files.vae, _VAE, build_autoencoder, dtype=dtype)
    text = text_network(files.text, dtype=dtype)
    return CogVideoXParts(transformer, vae, _encoder(tokenizer(files.tokenizer), text))


def _without_learned_positions(found: PublishedNetwork | FoundNetwork) -> PublishedNetwork | FoundNetwork:
    """Return a transformer's folder without the learned positions of its configuration, which AniSora has as zeros.

    They exist for one size of clip alone, and V1 makes several.

    Raises:
        ConfigError: They are not zeros.
    """
    learned = "use_learned_positional_embeddings"
    if not isinstance(found, PublishedNetwork) or not found.config.get(learned):
        return found
    for state in found.states():
        if _POSITIONS in state and bool(state[_POSITIONS].any()):
            raise ConfigError(
                f"Weights in `{found.folder}` have numbers other than 0 in {_POSITIONS!r}; expected zeros, as AniSora "
                "V1 was published. The clips would be others: use cogvideox-5b for a model that learned its positions."
            )
    return replace(found, config={**found.config, learned: False})


def tiny_parts(
    release: CogVideoXRelease, *, height: int, width: int, num_frames: int, dtype: Dtype = "float32"
) -> CogVideoXParts:
    """Return small networks of the same classes with random numbers.

    Args:
        release: Says whose epsilons and positions the transformer has.
        height: Of the clips that it counts as trained on, pixels.
        width: The same.
        num_frames: The same.
        dtype: Of transformer and VAE.
    """
    from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel

    sample = {"sample_height": height // 8, "sample_width": width // 8, "sample_frames": num_frames}
    transformer = random_numbers(CogVideoXTransformer3DModel(**_TINY.arguments(), **sample), "tiny-cogvideox")
    if not release.stock:
        set_epsilons(transformer, NormEpsilons())
    vae = random_numbers(AutoencoderKLCogVideoX(**_TINY_VAE, scaling_factor=0.7), "tiny-cogvideox-vae")
    for network in (transformer, vae):
        for parameter in network.parameters():  # the ``to`` of diffusers warns where nothing is kept in float32
            parameter.data = parameter.data.to(torch_dtype(dtype))
    return CogVideoXParts(transformer, vae, _encoder(tiny_tokenizer(), tiny_text_network(multilingual=False)))


def _encoder(words: Any, module: Any) -> TextEncoder:  # noqa: ANN401 - of transformers
    return TextEncoder(tokenizer=words, module=module, length=TEXT_LENGTH, masked=False)


def shapes_alone(files: CogVideoXFiles | None, *, tiny: bool) -> tuple[Any, Any]:
    """Return the transformer and the VAE without numbers, to count them.

    Args:
        files: Whose networks they are; None for the published ones.
        tiny: The small ones with random numbers.
    """
    if files is not None:
        return (
            empty_network(files.transformer, _TRANSFORMER, build_transformer),
            empty_network(files.vae, _VAE, build_autoencoder),
        )
    sizes = _TINY if tiny else TransformerSizes()
    return build_transformer(sizes.arguments()), build_autoencoder(_TINY_VAE if tiny else {})
