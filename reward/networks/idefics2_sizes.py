"""The sizes of an Idefics2 regressor, and the configuration that transformers builds it from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from anisora.harness.errors import ConfigError

if TYPE_CHECKING:
    from transformers import Idefics2Config

__all__ = ["RELEASED", "Idefics2Sizes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Idefics2Sizes:
    """The sizes of a network; the defaults are those of the released ones (Idefics2-8B)."""

    image_size: int = 980
    """Side of the largest picture; pixels."""
    patch: int = 14
    """Side of a patch; pixels."""
    vision_width: int = 1152
    vision_inner: int = 4304
    vision_layers: int = 27
    vision_heads: int = 16
    vision_eps: float = 1e-6
    latents: int = 64
    """Tokens of a picture in the text."""
    perceiver_layers: int = 3
    perceiver_heads: int = 16
    perceiver_head_width: int = 96
    perceiver_key_value_heads: int = 4
    vocabulary: int = 32003
    image_token: int = 32001
    width: int = 4096
    inner: int = 14336
    layers: int = 32
    heads: int = 32
    key_value_heads: int = 8
    positions: int = 32768
    window: int = 4096
    """Tokens that a token looks back on."""
    rope_theta: float = 10000.0
    rms_eps: float = 1e-5
    """Of the text's norms, and of the perceiver's: the release takes the text's for both."""
    labels: int = 1

    @property
    def grid(self) -> int:
        """Learned positions on a side."""
        return self.image_size // self.patch

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the sizes from a mapping with the names of a released ``config.json``.

        Raises:
            ConfigError: A name is missing.
        """
        lacking = [".".join(names) for names in _NAMES.values() if names[0] not in config]
        lacking += [
            ".".join(each) for each in _NAMES.values() if len(each) > 1 and each[1] not in config.get(each[0], {})
        ]
        if lacking:
            raise ConfigError(f"The configuration of Idefics2 lacks {', '.join(sorted(set(lacking)))}; add these.")
        found = {ours: _found(config, names) for ours, names in {**_NAMES, **_OPTIONAL}.items()}
        return cls(**{ours: value for ours, value in found.items() if value is not None})

    def transformers_config(self) -> "Idefics2Config":
        """Return the configuration of the host; nothing that changes a number is left to its defaults."""
        from transformers import Idefics2Config, MistralConfig

        build: Any = Idefics2Config  # its signature does not tell of the choice of attention
        text = MistralConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads,
            head_dim=self.width // self.heads,
            hidden_act="silu",
            max_position_embeddings=self.positions,
            rms_norm_eps=self.rms_eps,
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta},
            sliding_window=self.window,
            pad_token_id=0,
            use_cache=False,
        )
        vision = {
            "hidden_size": self.vision_width,
            "intermediate_size": self.vision_inner,
            "num_hidden_layers": self.vision_layers,
            "num_attention_heads": self.vision_heads,
            "image_size": self.image_size,
            "patch_size": self.patch,
            "hidden_act": "gelu_pytorch_tanh",
            "layer_norm_eps": self.vision_eps,
        }
        perceiver = {
            "hidden_size": self.width,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_eps,
            "resampler_n_latents": self.latents,
            "resampler_depth": self.perceiver_layers,
            "resampler_n_heads": self.perceiver_heads,
            "resampler_head_dim": self.perceiver_head_width,
            "num_key_value_heads": self.perceiver_key_value_heads,
        }
        config: Idefics2Config = build(
            text_config=text,
            vision_config=vision,
            perceiver_config=perceiver,
            image_token_id=self.image_token,
            tie_word_embeddings=False,
            use_cache=False,
            attn_implementation="sdpa",
        )
        return config


_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "image_size": ("vision_config", "image_size"),
    "patch": ("vision_config", "patch_size"),
    "vision_width": ("vision_config", "hidden_size"),
    "vision_inner": ("vision_config", "intermediate_size"),
    "vision_layers": ("vision_config", "num_hidden_layers"),
    "vision_heads": ("vision_config", "num_attention_heads"),
    "latents": ("perceiver_config", "resampler_n_latents"),
    "perceiver_layers": ("perceiver_config", "resampler_depth"),
    "perceiver_heads": ("perceiver_config", "resampler_n_heads"),
    "perceiver_head_width": ("perceiver_config", "resampler_head_dim"),
    "perceiver_key_value_heads": ("perceiver_config", "num_key_value_heads"),
    "vocabulary": ("text_config", "vocab_size"),
    "image_token": ("image_token_id",),
    "width": ("text_config", "hidden_size"),
    "inner": ("text_config", "intermediate_size"),
    "layers": ("text_config", "num_hidden_layers"),
    "heads": ("text_config", "num_attention_heads"),
    "key_value_heads": ("text_config", "num_key_value_heads"),
}
_OPTIONAL: Final[dict[str, tuple[str, ...]]] = {
    "vision_eps": ("vision_config", "layer_norm_eps"),
    "positions": ("text_config", "max_position_embeddings"),
    "window": ("text_config", "sliding_window"),
    "rope_theta": ("text_config", "rope_theta"),
    "rms_eps": ("text_config", "rms_norm_eps"),
    "labels": ("num_labels",),
}
"""What a file may leave out; the defaults are those of the released networks."""


def _found(config: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a number or nothing
    for name in names[:-1]:
        config = config.get(name, {})
    return config.get(names[-1])


RELEASED: Final = Idefics2Sizes()
