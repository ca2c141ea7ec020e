"""BLIP's vision transformer (Li et al. 2022), on transformers, filled from files with the keys of BLIP's own code.

Reference: reward/models/vit.py, VisionTransformer. It is also the tower of the identity embedder
(reward/character/BLIP/blip_models/vit.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from anisora.harness.errors import ConfigError
from anisora.harness.networks import without_numbers

if TYPE_CHECKING:
    import torch

__all__ = [
    "BASE",
    "LARGE",
    "PREFIX",
    "VisionSizes",
    "class_tokens",
    "empty_vision",
    "host_key",
    "read_size",
    "reference_key",
]

PREFIX: Final = "visual_encoder."
"""Before the tower's keys, in the files and in our modules alike."""
_PREPARED: Final = {"activation": "exact gelu", "qkv_bias": True}
"""What a configuration may say of the tower beside its sizes."""

_NAMES: Final = (
    ("cls_token", "embeddings.class_embedding"),
    ("pos_embed", "embeddings.position_embedding"),
    ("patch_embed.proj.", "embeddings.patch_embedding."),
    ("norm.", "post_layernorm."),
)
"""(BLIP's key or its beginning, transformers'), outside the blocks."""
_BLOCK_NAMES: Final = (
    ("norm1.", "layer_norm1."),
    ("norm2.", "layer_norm2."),
    ("attn.qkv.", "self_attn.qkv."),
    ("attn.proj.", "self_attn.projection."),
    ("mlp.fc1.", "mlp.fc1."),
    ("mlp.fc2.", "mlp.fc2."),
)
"""The same, inside a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionSizes:
    """The sizes of a tower; the defaults are those of ViT-B/16."""

    image_size: int = 224
    """Side of the square pictures; pixels."""
    patch: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    epsilon: float = 1e-6
    """Of the layer norms; transformers' own default is 1e-5."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the sizes from a mapping with the names ``image_size``, ``patch_size``, ``hidden_size`` and so on.

        Raises:
            ConfigError: A size is missing, or the configuration asks for another activation or no bias.
        """
        other = {name: config[name] for name, value in _PREPARED.items() if config.get(name, value) != value}
        if other:
            raise ConfigError(
                f"The configuration of BLIP's vision tower has {other}, other than exact GELU with biases. Correct it."
            )
        return cls(
            image_size=int(read_size(config, "image_size")),
            patch=int(read_size(config, "patch_size")),
            width=int(read_size(config, "hidden_size")),
            layers=int(read_size(config, "num_layers")),
            heads=int(read_size(config, "num_heads")),
            mlp_ratio=read_size(config, "mlp_ratio"),
            epsilon=read_size(config, "layer_norm_eps"),
        )


BASE: Final = VisionSizes()
LARGE: Final = VisionSizes(width=1024, layers=24, heads=16)
"""ViT-L/16."""


def read_size(config: Mapping[str, Any], name: str) -> float:
    """Return a number of a configuration.

    Raises:
        ConfigError: The configuration does not have it.
    """
    if name not in config:
        raise ConfigError(f"The configuration of the network lacks {name!r}; it has {', '.join(config)}. Add it.")
    return float(config[name])


def empty_vision(sizes: VisionSizes = BASE) -> "torch.nn.Module":
    """Return the tower without numbers; ``reference_key`` gives the keys of the files for its own.

    Raises:
        ConfigError: The width is no multiple of the heads, or the side none of the patch.
    """
    if sizes.width % sizes.heads or sizes.image_size % sizes.patch:
        raise ConfigError(
            f"BLIP's vision tower got width {sizes.width} for {sizes.heads} heads and side {sizes.image_size} for "
            f"patches of {sizes.patch}; expected multiples. Correct the sizes."
        )
    from transformers import BlipVisionConfig, BlipVisionModel

    config = BlipVisionConfig(
        hidden_size=sizes.width,
        intermediate_size=int(sizes.width * sizes.mlp_ratio),
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        image_size=sizes.image_size,
        patch_size=sizes.patch,
        hidden_act="gelu",
        layer_norm_eps=sizes.epsilon,
    )
    with without_numbers():
        return BlipVisionModel(config)


def class_tokens(tower: "torch.nn.Module", pixels: "torch.Tensor") -> "torch.Tensor":
    """Return the class tokens of pictures after the last norm, (N, width), on the tower's device.

    Not the pooled output of transformers, which goes through that norm a second time.

    Args:
        tower: From ``empty_vision``, filled.
        pixels: (N, 3, side, side) float32, normalised by CLIP's mean and deviation.
    """
    device = next(tower.parameters()).device
    tokens: torch.Tensor = tower(pixel_values=pixels.to(device)).last_hidden_state[:, 0]
    return tokens


def host_key(key: str) -> str:
    """Return our module's key for a key of BLIP's code; keys outside the tower are the same in both.

    Example:
        >>> host_key("visual_encoder.blocks.3.attn.proj.bias")
        'visual_encoder.encoder.layers.3.self_attn.projection.bias'
    """
    return _translated(key, r"blocks\.(\d+)\.", "encoder.layers.{}.", names=_NAMES, block_names=_BLOCK_NAMES)


def reference_key(key: str) -> str:
    """Return the key of BLIP's code for a key of our module: the inverse of ``host_key``.

    Example:
        >>> reference_key("visual_encoder.post_layernorm.weight")
        'visual_encoder.norm.weight'
    """
    names, block_names = (tuple((ours, theirs) for theirs, ours in table) for table in (_NAMES, _BLOCK_NAMES))
    return _translated(key, r"encoder\.layers\.(\d+)\.", "blocks.{}.", names=names, block_names=block_names)


def _translated(
    key: str, block: str, written: str, *, names: tuple[tuple[str, str], ...], block_names: tuple[tuple[str, str], ...]
) -> str:
    if not key.startswith(PREFIX):
        return key
    inside = key.removeprefix(PREFIX)
    start, table = "", names
    if (found := re.match(block, inside)) is not None:
        start, table, inside = written.format(found[1]), block_names, inside[found.end() :]
    for old, new in table:
        if inside.startswith(old):
            return f"{PREFIX}{start}{new}{inside.removeprefix(old)}"
    # A key of neither: it keeps a form that no module has, so that loading refuses it by name.
    return key
