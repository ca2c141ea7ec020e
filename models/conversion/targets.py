"""What published checkpoints are converted to: a class of diffusers, its sizes read off the tensors.

The original configuration is needed where two networks have the same tensors: how wide a head of attention is.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from anisora.harness.errors import ConfigError
from anisora.models.conversion.layout import CheckpointLayout
from anisora.models.conversion.sat import SAT_TRANSFORMER, SAT_VAE
from anisora.models.conversion.wan import WAN_TRANSFORMER, WAN_VAE

__all__ = ["TARGETS", "Target"]

Config = Mapping[str, Any]
Shape = tuple[int, ...]

_WAN_HEAD: Final = 128
"""Numbers in a head of every Wan network that was published."""
_V1_LATENT: Final = (90, 160)
"""Height and width of latents in V1's published configuration, for 720 by 1280 pixels."""


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Shapes by their keys without prefix."""

    shapes: Mapping[str, Shape]

    def side(self, key: str, axis: int) -> int:
        """Return one side of a tensor.

        Raises:
            ConfigError: It is not there, or has fewer axes.
        """
        shape = self.shapes.get(key)
        if shape is None or axis >= len(shape):
            seen = "no such tensor" if shape is None else f"the shape {shape}"
            raise ConfigError(
                f"Checkpoint has {seen} for {key!r}, from which a size of the network is read; a shard may be missing, "
                "or it is another network's file."
            )
        return shape[axis]

    def count(self, pattern: str) -> int:
        """Return one more than the largest number that keys have at a place; 0 where none has."""
        found = (re.match(pattern, key) for key in self.shapes)
        return max((int(match[1]) + 1 for match in found if match), default=0)

    def has(self, key: str) -> bool:
        """Return whether there is a tensor."""
        return key in self.shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A kind of network."""

    layout: CheckpointLayout
    folder: str
    """Where a pipeline of diffusers has it: transformer or vae."""
    build: Callable[[_Shapes, Config | None], Any]
    """Shapes and original configuration -> the network on the meta device."""
    takes_config: bool = False
    """Whether it has an original configuration."""

    def network(self, shapes: Mapping[str, Shape], config: Config | None = None) -> Any:  # noqa: ANN401 - a class of an optional library
        """Return the network of a checkpoint, without numbers.

        Args:
            shapes: {key: shape} of the checkpoint.
            config: The original ``config.json``; None for the published sizes of what the tensors do not tell.

        Raises:
            ConfigError: A tensor that tells a size is missing, or the configuration is another network's.
        """
        bare = {self.layout.bare_key(key): shape for key, shape in shapes.items()}
        return self.build(_Shapes({key: shape for key, shape in bare.items() if key is not None}), config)

    def share_known(self, keys: Mapping[str, object]) -> float:
        """Return the part of the keys, in [0, 1], that files of this layout have; other networks' do not count."""
        own = [self.layout.bare_key(key) for key in keys if not key.startswith(self.layout.beside)]
        known = sum(key is not None and self.layout.pieces(key) is not None for key in own)
        return known / len(own) if own else 0.0


def _wan_transformer(shapes: _Shapes, config: Config | None) -> Any:  # noqa: ANN401
    from anisora.models.wan.networks import empty_transformer, image_dim_of, transformer_settings

    patch = [shapes.side("patch_embedding.weight", axis) for axis in (2, 3, 4)]
    told = {
        "dim": shapes.side("patch_embedding.weight", 0),
        "in_dim": shapes.side("patch_embedding.weight", 1),
        "out_dim": shapes.side("head.head.weight", 0) // (patch[0] * patch[1] * patch[2]),
        "ffn_dim": shapes.side("blocks.0.ffn.0.weight", 0),
        "freq_dim": shapes.side("time_embedding.0.weight", 1),
        "text_dim": shapes.side("text_embedding.0.weight", 1),
        "num_layers": shapes.count(r"blocks\.(\d+)\."),
        "cross_attn_norm": shapes.has("blocks.0.norm3.weight"),
    }
    for name, value in told.items():
        if config and name in config and config[name] != value:
            raise ConfigError(
                f"Configuration has `{name}` {config[name]!r}, and the tensors have {value!r}; expected those of one "
                "network; name it with --config."
            )
    if config is None:
        if told["dim"] % _WAN_HEAD:
            raise ConfigError(
                f"Checkpoint has a width of {told['dim']}; without its config.json a multiple of {_WAN_HEAD} is "
                "expected, the width of a head in every published network; name the file with --config."
            )
        config = {"num_heads": told["dim"] // _WAN_HEAD}
    return empty_transformer(transformer_settings({**config, **told, "patch_size": patch}, image_dim_of(shapes.shapes)))


def _wan_vae(shapes: _Shapes, _: Config | None) -> Any:  # noqa: ANN401
    from anisora.models.wan.networks import empty_vae, vae_settings

    width = shapes.side("encoder.conv1.weight", 0)
    first = [f"encoder.downsamples.{number}" for number in range(0, shapes.count(r"encoder\.downsamples\.(\d+)\."), 3)]
    between = [f"encoder.downsamples.{number}.time_conv.weight" for number in range(2, 3 * len(first) - 1, 3)]
    return empty_vae(
        vae_settings(
            {
                "dim": width,
                "z_dim": shapes.side("conv2.weight", 0),
                "dim_mult": [shapes.side(f"{level}.residual.2.weight", 0) // width for level in first],
                "temperal_downsample": [shapes.has(key) for key in between],
            }
        )
    )


def _sat_transformer(shapes: _Shapes, _: Config | None) -> Any:  # noqa: ANN401
    from anisora.models.cogvideox.networks import TransformerSizes, build_transformer

    width, patch = (shapes.side("mixins.patch_embed.proj.weight", axis) for axis in (0, 2))
    head = shapes.side("mixins.adaln_layer.query_layernorm_list.0.weight", 0)
    sizes = TransformerSizes(
        hidden_size=width,
        num_heads=width // head,
        head_dim=head,
        num_layers=shapes.count(r"transformer\.layers\.(\d+)\."),
        time_embed_dim=shapes.side("time_embed.0.weight", 0),
        text_dim=shapes.side("mixins.patch_embed.text_proj.weight", 1),
        in_channels=shapes.side("mixins.patch_embed.proj.weight", 1),
        out_channels=shapes.side("mixins.final_layer.linear.weight", 0) // patch**2,
        patch_size=patch,
    )
    height, across = _V1_LATENT
    return build_transformer({**sizes.arguments(), "sample_height": height, "sample_width": across})


def _sat_vae(shapes: _Shapes, _: Config | None) -> Any:  # noqa: ANN401
    from anisora.models.cogvideox.autoencoder import build_autoencoder

    levels = shapes.count(r"encoder\.down\.(\d+)\.")
    return build_autoencoder(
        {
            "in_channels": shapes.side("encoder.conv_in.conv.weight", 1),
            "out_channels": shapes.side("decoder.conv_out.conv.weight", 0),
            "latent_channels": shapes.side("decoder.conv_in.conv.weight", 1),
            "block_out_channels": [
                shapes.side(f"encoder.down.{level}.block.0.conv1.conv.weight", 0) for level in range(levels)
            ],
            "layers_per_block": shapes.count(r"encoder\.down\.0\.block\.(\d+)\."),
        }
    )


TARGETS: Final[Mapping[str, Target]] = {
    "wan": Target(layout=WAN_TRANSFORMER, folder="transformer", build=_wan_transformer, takes_config=True),
    "wan-vae": Target(layout=WAN_VAE, folder="vae", build=_wan_vae),
    "sat": Target(layout=SAT_TRANSFORMER, folder="transformer", build=_sat_transformer),
    "sat-vae": Target(layout=SAT_VAE, folder="vae", build=_sat_vae),
}
"""{name of a layout: what it becomes}"""
