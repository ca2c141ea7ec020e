"""Wan's transformer and VAE as classes of diffusers, built without numbers and filled from either library's files."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.device import Dtype, torch_dtype
from anisora.harness.errors import ConfigError, MissingExtra
from anisora.harness.networks import shapes_of, without_numbers
from anisora.models.conversion.layout import CheckpointLayout, check_shapes, converted_pieces
from anisora.models.conversion.wan import WAN_TRANSFORMER, wan_vae_layout
from anisora.models.wan.latent_size import PATCH_SIZE

if TYPE_CHECKING:
    import torch

__all__ = [
    "TEXT_LENGTH",
    "cast_network",
    "empty_transformer",
    "empty_vae",
    "fill_network",
    "image_dim_of",
    "transformer_settings",
    "vae_settings",
    "wan_transformer",
    "wan_vae",
]

TEXT_LENGTH: Final = 512
"""Tokens of text that a network is given, zeros behind those of the prompt."""
_TEXT_DIM: Final = 4096
_IMAGE_EMBEDDING: Final = "img_emb.proj.0.weight"
_TRANSFORMER_CLASS: Final = "WanTransformer3DModel"
_FIXED: Final[Mapping[str, tuple[Any, ...]]] = {
    "model_type": ("i2v",),
    "qk_norm": (True,),
    "window_size": ((-1, -1), [-1, -1]),
    "attn_scales": ([], ()),
}
"""{field of a configuration: values that the classes of diffusers have}"""


def transformer_settings(config: Mapping[str, Any], image_dim: int | None = None) -> dict[str, Any]:
    """Return the arguments of ``diffusers.WanTransformer3DModel`` for a configuration.

    The original configuration of a published checkpoint does not say whether the network has an image branch: those of
    Wan 2.1 (V2, V3, any-mask: 1280 numbers of CLIP) and of Wan 2.2 (V3.2: none) are alike. ``image_dim_of`` reads it
    off the tensors.

    Args:
        config: The original ``config.json`` (``dim``, ``ffn_dim``, ``num_heads``, ``num_layers``, ``in_dim``, ...), or
            that of diffusers, which is passed on.
        image_dim: Numbers of each token of the image's embedding; None for what the configuration's ``clip_dim`` says,
            and for no image branch where it says nothing.

    Raises:
        ConfigError: A field is missing, or has a value that the class does not have.
    """
    if config.get("_class_name") == _TRANSFORMER_CLASS:
        return {name: value for name, value in config.items() if not name.startswith("_")}
    _check_fixed(config)
    dim, heads = _field(config, "dim"), _field(config, "num_heads")
    if dim % heads:
        raise ConfigError(
            f"Configuration has `dim` {dim} and `num_heads` {heads}; expected a multiple of the heads. "
            "Take the config.json that lies beside the checkpoint."
        )
    branch = config.get("clip_dim") if image_dim is None else image_dim
    text_len = config.get("text_len", TEXT_LENGTH)
    if branch is not None and text_len != TEXT_LENGTH:
        raise ConfigError(
            f"Configuration has `text_len` {text_len}; expected {TEXT_LENGTH} in a network with an image branch, where "
            "diffusers counts the tokens of the image from the end of the text's. Use such a checkpoint."
        )
    return {
        "patch_size": tuple(config.get("patch_size", PATCH_SIZE)),
        "num_attention_heads": heads,
        "attention_head_dim": dim // heads,
        "in_channels": _field(config, "in_dim"),
        "out_channels": _field(config, "out_dim"),
        "text_dim": config.get("text_dim", _TEXT_DIM),
        "freq_dim": _field(config, "freq_dim"),
        "ffn_dim": _field(config, "ffn_dim"),
        "num_layers": _field(config, "num_layers"),
        "cross_attn_norm": config.get("cross_attn_norm", True),
        "qk_norm": "rms_norm_across_heads",
        "eps": config.get("eps", 1e-6),
        "image_dim": branch,
        "added_kv_proj_dim": None if branch is None else dim,
    }


def image_dim_of(shapes: Mapping[str, Sequence[int]]) -> int | None:
    """Return how many numbers a token of the image has in an original checkpoint; None without an image branch.

    Args:
        shapes: {key: shape} of the whole checkpoint, with or without the prefix of ComfyUI.
    """
    for key, shape in shapes.items():
        if WAN_TRANSFORMER.bare_key(key) == _IMAGE_EMBEDDING:
            return int(shape[0])
    return None


def vae_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``diffusers.AutoencoderKLWan`` for an original configuration.

    Args:
        config: ``dim``, ``z_dim``, ``dim_mult``, ``num_res_blocks`` and ``temperal_downsample`` as the original spells
            it; what is missing is Wan 2.1's.

    Raises:
        ConfigError: It has attention outside the middle, which the class does not have.
    """
    _check_fixed(config)
    names = {"dim": "base_dim"} | {
        name: name for name in ("z_dim", "dim_mult", "num_res_blocks", "temperal_downsample", "dropout")
    }
    return {target: config[name] for name, target in names.items() if name in config}


def empty_transformer(settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a class of an optional library
    """Return the transformer on the meta device, all but its tables of rotary positions, which no file holds.

    Args:
        settings: As ``transformer_settings`` returns them.

    Raises:
        MissingExtra: diffusers is not installed.
    """
    build = _class_of_diffusers(_TRANSFORMER_CLASS)
    with without_numbers():
        network = build(**settings)
    rope = network.rope
    network.rope = type(rope)(rope.attention_head_dim, rope.patch_size, rope.max_seq_len)
    return network


def empty_vae(settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a class of an optional library
    """Return the VAE on the meta device.

    Args:
        settings: As ``vae_settings`` returns them.

    Raises:
        MissingExtra: diffusers is not installed.
    """
    build = _class_of_diffusers("AutoencoderKLWan")
    with without_numbers():
        return build(**settings)


def wan_transformer(
    settings: Mapping[str, Any], states: "Iterable[Mapping[str, torch.Tensor]]", *, dtype: Dtype = "float32"
) -> Any:  # noqa: ANN401 - a class of an optional library
    """Return a transformer filled from the shards of a checkpoint; see ``fill_network``.

    Args:
        settings: As ``transformer_settings`` returns them.
        states: Tensors of each shard.
        dtype: Number format; what diffusers keeps in float32 stays so.

    Raises:
        ConfigError: Tensors are missing, unknown or of another shape.
    """
    return fill_network(empty_transformer(settings), states, WAN_TRANSFORMER, dtype=dtype)


def wan_vae(
    settings: Mapping[str, Any], states: "Iterable[Mapping[str, torch.Tensor]]", *, dtype: Dtype = "float32"
) -> Any:  # noqa: ANN401 - a class of an optional library
    """Return a VAE filled from a checkpoint; see ``fill_network``.

    Args:
        settings: As ``vae_settings`` returns them.
        states: Tensors of each shard.
        dtype: Number format.

    Raises:
        ConfigError: Tensors are missing, unknown or of another shape.
    """
    network = empty_vae(settings)
    return fill_network(network, states, wan_vae_layout(network.config.num_res_blocks), dtype=dtype)


def fill_network(
    network: Any,  # noqa: ANN401 - a class of an optional library
    states: "Iterable[Mapping[str, torch.Tensor]]",
    layout: CheckpointLayout,
    *,
    dtype: Dtype = "float32",
) -> Any:  # noqa: ANN401 - the network
    """Fill a network from the shards of a checkpoint, one after another, and return it, frozen and on the CPU.

    Each tensor is renamed and cast by itself, so that of a large checkpoint only one shard is ever there as it was
    stored: hand over a generator.

    Args:
        network: On the meta device.
        states: Tensors of each shard, under original names or those of diffusers.
        layout: Of the original names.
        dtype: Number format of the floating-point tensors; those of modules that diffusers keeps in float32 have it.

    Raises:
        ConfigError: Tensors are missing, unknown, there twice or of another shape.
    """
    wanted = shapes_of(network)
    filled: dict[str, torch.Tensor] = {}
    for state in states:
        for key, tensor in _renamed(state, wanted, layout):
            if key in filled:
                raise ConfigError(
                    f"Checkpoint of layout {layout.name!r} has two tensors for {key!r}; expected one; "
                    "leave out the shard that is there twice."
                )
            filled[key] = _cast(network, key, tensor, dtype)
    check_shapes({key: tuple(tensor.shape) for key, tensor in filled.items()}, wanted, layout)
    network.load_state_dict(filled, strict=True, assign=True)
    lost = [name for name, tensor in chain(network.named_parameters(), network.named_buffers()) if tensor.is_meta]
    if lost:
        raise ConfigError(
            f"`{type(network).__name__}` has no numbers in {lost[0]!r}, which no checkpoint holds; expected them to be "
            "computed when it is built. Install a version of diffusers that pyproject.toml allows."
        )
    return network.requires_grad_(requires_grad=False).eval()


def cast_network(network: Any, dtype: Dtype) -> Any:  # noqa: ANN401 - a class of an optional library
    """Cast a network in place and return it; modules that diffusers keeps in float32 are cast to float32.

    Those are the tables of modulation, the embedding of the timestep, normalisations and rotary positions: in
    bfloat16 they have too few digits. The ``to`` of diffusers would cast them.

    Args:
        network: Of diffusers.
        dtype: Of all else.
    """
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        tensor.data = _cast(network, name, tensor.data, dtype)
    return network


def _class_of_diffusers(name: str) -> Any:  # noqa: ANN401 - a class of an optional library
    try:
        return getattr(import_module("diffusers"), name)
    except ImportError as error:
        raise MissingExtra(f"Network `{name}`", "models") from error


def _cast(network: Any, key: str, tensor: "torch.Tensor", dtype: Dtype) -> "torch.Tensor":  # noqa: ANN401
    if not tensor.is_floating_point():
        return tensor
    kept = set(getattr(network, "_keep_in_fp32_modules", None) or ())
    return tensor.to(torch_dtype("float32" if kept & set(key.split(".")) else dtype))


def _renamed(
    state: "Mapping[str, torch.Tensor]", wanted: Mapping[str, Sequence[int]], layout: CheckpointLayout
) -> "Iterable[tuple[str, torch.Tensor]]":
    """Return the tensors under the network's names, whichever names more of them have."""
    known = sum(bare is not None and layout.pieces(bare) is not None for bare in map(layout.bare_key, state))
    if sum(key in wanted for key in state) > known:
        return state.items()
    return chain.from_iterable(converted_pieces(key, tensor, layout) for key, tensor in state.items())


def _field(config: Mapping[str, Any], name: str) -> int:
    if not isinstance(config.get(name), int) or config[name] < 1:
        raise ConfigError(
            f"Configuration has `{name}` {config.get(name)!r}; expected a positive whole number. "
            "Take the config.json that lies beside the checkpoint."
        )
    return int(config[name])


def _check_fixed(config: Mapping[str, Any]) -> None:
    for name, allowed in _FIXED.items():
        if name in config and config[name] not in allowed:
            raise ConfigError(
                f"Configuration has `{name}` {config[name]!r}; expected {allowed[0]!r}, all that the image-to-video "
                "networks of Wan have. Use a checkpoint of these."
            )
