"""CogVideoX's transformer: diffusers' class, built from the sizes of a SAT configuration.

SAT and diffusers differ in one number that no weight file tells: SAT's LayerNorms add 1e-5 to the variance in the
blocks and after them and 1e-6 elsewhere, while diffusers has one number for all but those of queries and keys.

Reference: anisoraV1_infer/fastercache/models/cogvideox/dit_video_concat.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, without_numbers

if TYPE_CHECKING:
    from diffusers import CogVideoXTransformer3DModel

    from anisora.harness.device import Dtype
    from anisora.harness.weights import Tensors

__all__ = ["NormEpsilons", "TransformerSizes", "build_transformer", "fill_network", "set_epsilons"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerSizes:
    """The sizes of a network, named as SAT names them; the defaults are V1's."""

    hidden_size: int = 3072
    num_heads: int = 48
    head_dim: int = 64
    num_layers: int = 42
    time_embed_dim: int = 512
    text_dim: int = 4096
    text_length: int = 226
    in_channels: int = 32
    """Of the noisy latents and of the condition's."""
    out_channels: int = 16
    patch_size: int = 2

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of diffusers' class.

        Raises:
            ConfigError: The heads do not make up the width.
        """
        if self.num_heads * self.head_dim != self.hidden_size:
            raise ConfigError(
                f"`hidden_size` got {self.hidden_size} for {self.num_heads} heads of {self.head_dim}; expected "
                f"{self.num_heads * self.head_dim}, their product. Correct one of the three."
            )
        return {
            "num_attention_heads": self.num_heads,
            "attention_head_dim": self.head_dim,
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "num_layers": self.num_layers,
            "time_embed_dim": self.time_embed_dim,
            "text_embed_dim": self.text_dim,
            "max_text_seq_length": self.text_length,
            "patch_size": self.patch_size,
            "use_rotary_positional_embeddings": True,
            "use_learned_positional_embeddings": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NormEpsilons:
    """What each LayerNorm adds to the variance, named as SAT names the layers; the defaults are V1's."""

    input_layernorm: float = 1e-5
    """Before attention."""
    post_attention_layernorm: float = 1e-5
    """Before the feed-forward part."""
    final_layernorm: float = 1e-5
    """After the last block."""
    query_key_layernorm: float = 1e-6
    final_layer_norm_final: float = 1e-6
    """Before the output, where the timestep shifts and scales."""


def build_transformer(
    arguments: Mapping[str, Any], epsilons: NormEpsilons | None = None
) -> "CogVideoXTransformer3DModel":
    """Return the transformer without numbers.

    Args:
        arguments: Of diffusers' class: ``TransformerSizes.arguments()`` or ``network_arguments()`` of a folder.
        epsilons: Of a network that SAT trained; None leaves those of the arguments.

    Raises:
        ConfigError: It is a network of another generation, which this loop does not sample.
    """
    from diffusers import CogVideoXTransformer3DModel

    for name, expected in (("patch_size_t", None), ("ofs_embed_dim", None)):
        if arguments.get(name) is not expected:
            raise ConfigError(
                f"`{name}` got {arguments[name]!r}; expected none, as CogVideoX 1.0 has it. The networks of "
                "CogVideoX 1.5 are not sampled here."
            )
    if not arguments.get("use_rotary_positional_embeddings"):
        raise ConfigError(
            "`use_rotary_positional_embeddings` got False; expected True, as the networks of 5 billion parameters have "
            "it. Name one of these."
        )
    with without_numbers():
        network = CogVideoXTransformer3DModel(**arguments)
    if epsilons is not None:
        set_epsilons(network, epsilons)
    return network


def set_epsilons(network: "CogVideoXTransformer3DModel", epsilons: NormEpsilons) -> None:
    """Set what the LayerNorms of a transformer add to the variance.

    Args:
        network: Changed in place.
        epsilons: Of each kind of layer.
    """
    for block in network.transformer_blocks:
        block.norm1.norm.eps = epsilons.input_layernorm
        block.norm2.norm.eps = epsilons.post_attention_layernorm
        block.attn1.norm_q.eps = block.attn1.norm_k.eps = epsilons.query_key_layernorm
    network.norm_final.eps = epsilons.final_layernorm
    network.norm_out.norm.eps = epsilons.final_layer_norm_final


def fill_network(network: Any, name: str, *, state: "Tensors | None" = None, dtype: "Dtype" = "float32") -> Any:  # noqa: ANN401 - any module
    """Fill a network with the tensors of a ledger entry and put it on the device of this process.

    Args:
        network: Built without numbers.
        name: Entry of the ledger.
        state: Tensors under the network's keys, in place of the entry's file.
        dtype: Number format.

    Raises:
        WeightsMissing: The file is absent, damaged or not the ledger's.
        ConfigError: Keys or shapes are not the network's, or it holds numbers that no file has, such as a table that
            is computed where the network is built.
    """
    elsewhere = sorted({key for key, _ in network.named_buffers()} - network.state_dict().keys())
    if elsewhere:
        raise ConfigError(
            f"Network {type(network).__name__} of `{name}` computes {', '.join(elsewhere)} where it is built, and was "
            "built without numbers; expected none but stored tensors. Use a configuration without it."
        )
    return filled(network, name, state=state, dtype=dtype)
