"""Tiny networks of diffusers, and their tensors under the names and in the files of official checkpoints."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from anisora.models.conversion.layout import CheckpointLayout
from anisora.models.conversion.sat import SAT_TRANSFORMER
from anisora.models.conversion.wan import WAN_TRANSFORMER, WAN_VAE

__all__ = [
    "WAN_CONFIG",
    "original_state",
    "sat_state",
    "sat_transformer",
    "sat_vae",
    "sat_vae_state",
    "save_shards",
    "wan_state",
    "wan_transformer",
    "wan_vae",
    "wan_vae_state",
    "write_releases",
    "write_wan_folder",
]

WAN_CONFIG = {
    **{"_class_name": "WanModel", "model_type": "i2v", "dim": 32, "ffn_dim": 48, "freq_dim": 16, "in_dim": 36},
    **{"out_dim": 16, "num_heads": 2, "num_layers": 2, "text_len": 512, "text_dim": 24, "eps": 1e-6},
}
"""The ``config.json`` of the original for ``wan_transformer``."""

KINDS = ("weight", "bias", "gamma")
WAN_OUTSIDE = ("patch_embedding", "text_embedding.0", "text_embedding.2", "time_embedding.0", "time_embedding.2")
WAN_OUTSIDE += ("time_projection.1", "head.head", *(f"img_emb.proj.{number}" for number in (0, 1, 3, 4)))
WAN_BLOCK = (
    *(f"{which}_attn.{name}" for which in ("self", "cross") for name in ("q", "k", "v", "o", "norm_q", "norm_k")),
    *("cross_attn.k_img", "cross_attn.v_img", "cross_attn.norm_k_img", "norm3", "ffn.0", "ffn.2"),
)
SAT_OUTSIDE = ("time_embed.0", "time_embed.2", "mixins.patch_embed.proj", "mixins.patch_embed.text_proj")
SAT_OUTSIDE += ("transformer.final_layernorm", "mixins.final_layer.norm_final", "mixins.final_layer.linear")
SAT_OUTSIDE += ("mixins.final_layer.adaLN_modulation.1",)
SAT_BLOCK = (
    *(f"transformer.layers.{{}}.{name}" for name in ("input_layernorm", "post_attention_layernorm")),
    *(f"transformer.layers.{{}}.attention.{name}" for name in ("query_key_value", "dense")),
    *(f"transformer.layers.{{}}.mlp.{name}" for name in ("dense_h_to_4h", "dense_4h_to_h")),
    *(f"mixins.adaln_layer.{name}_layernorm_list.{{}}" for name in ("query", "key")),
    "mixins.adaln_layer.adaLN_modulations.{}.1",
)
VAE_LAYERS = (
    *(f"residual.{number}" for number in (0, 2, 3, 6)),
    *("shortcut", "resample.1", "time_conv", "norm", "to_qkv", "proj"),
)


def filled_network(network: Any, seed: int) -> Any:
    """Give every tensor of a network other numbers, small ones."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for tensor in network.state_dict().values():
        tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
    return network.eval().requires_grad_(requires_grad=False)


def wan_transformer(*, has_image_branch: bool = True, seed: int = 1, layers: int = 2) -> Any:
    """Return a network of the kind of V2 and V3, or without its image branch of the kind of V3.2."""
    from diffusers import WanTransformer3DModel

    branch = {"image_dim": 12, "added_kv_proj_dim": 32} if has_image_branch else {}
    return filled_network(
        WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=36,
            out_channels=16,
            text_dim=24,
            freq_dim=16,
            ffn_dim=48,
            num_layers=layers,
            **branch,
        ),
        seed,
    )


def wan_vae(seed: int = 2) -> Any:
    """Return a VAE of the kind of Wan 2.1."""
    from diffusers import AutoencoderKLWan

    return filled_network(AutoencoderKLWan(base_dim=3, z_dim=4), seed)


def sat_transformer(seed: int = 3) -> Any:
    """Return a network of the kind of V1."""
    from diffusers import CogVideoXTransformer3DModel

    return filled_network(
        CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=32,
            out_channels=16,
            num_layers=2,
            time_embed_dim=20,
            text_embed_dim=12,
            sample_width=160,
            sample_height=90,
            use_rotary_positional_embeddings=True,
        ),
        seed,
    )


def sat_vae(seed: int = 4) -> Any:
    """Return a VAE of the kind of CogVideoX."""
    from diffusers import AutoencoderKLCogVideoX

    return filled_network(
        AutoencoderKLCogVideoX(block_out_channels=(32, 32, 64, 64), layers_per_block=1, scaling_factor=0.7), seed
    )


def original_state(network: Any, layout: CheckpointLayout, keys: Iterable[str]) -> dict[str, Any]:
    """Return a network's tensors under the names of a layout: each source tensor is put together from its pieces.

    Args:
        network: Of diffusers.
        layout: Of the source.
        keys: Names that such a file may have, without prefix; those that this network lacks are passed over.
    """
    import torch

    state = network.state_dict()
    made = {}
    for key in keys:
        pieces = layout.pieces(key) or ()
        if not pieces or any(piece.key not in state for piece in pieces):
            continue
        rows: dict[int, torch.Tensor] = {}
        for piece in pieces:
            rows |= dict(zip(piece.taken, state[piece.key].chunk(len(piece.taken)), strict=True))
        made[key] = torch.cat([rows[number] for number in range(pieces[0].parts)]).clone()
    taken = {piece.key for key in made for piece in layout.pieces(key) or ()}
    assert taken == state.keys(), sorted(state.keys() - taken)
    return made


def wan_state(network: Any) -> dict[str, Any]:
    """Return the tensors of a transformer under the names of WanModel."""
    layers = [f"blocks.{number}" for number in range(network.config.num_layers)]
    names = [*WAN_OUTSIDE, *(f"{layer}.{name}" for layer in layers for name in WAN_BLOCK)]
    keys = [f"{name}.{kind}" for name in names for kind in KINDS]
    return original_state(
        network, WAN_TRANSFORMER, [*keys, "head.modulation", *(f"{layer}.modulation" for layer in layers)]
    )


def wan_vae_state(network: Any) -> dict[str, Any]:
    """Return the tensors of a VAE under the names of WanVAE_."""
    stages = ("encoder.downsamples", "encoder.middle", "decoder.middle", "decoder.upsamples")
    inside = [f"{stage}.{number}.{layer}" for stage, number, layer in product(stages, range(16), VAE_LAYERS)]
    ends = [f"{half}.{layer}" for half in ("encoder", "decoder") for layer in ("conv1", "head.0", "head.2")]
    keys = [f"{name}.{kind}" for name in ("conv1", "conv2", *ends, *inside) for kind in KINDS]
    return original_state(network, WAN_VAE, keys)


def sat_state(network: Any) -> dict[str, Any]:
    """Return what ``mp_rank_00_model_states.pt`` has under "module": the transformer, and what is left out."""
    import torch

    names = [*SAT_OUTSIDE, *(name.format(layer) for layer in range(network.config.num_layers) for name in SAT_BLOCK)]
    state = original_state(network, SAT_TRANSFORMER, [f"{name}.{kind}" for name in names for kind in KINDS])
    state["mixins.pos_embed.freqs_sin"] = torch.ones(6, 16)
    state["mixins.pos_embed.freqs_cos"] = torch.ones(6, 16)
    state["mixins.pos_embed.pos_embedding"] = torch.zeros(1, 8, 32)
    state["transformer.position_embeddings.weight"] = torch.ones(4, 32)
    beside = {"first_stage_model.encoder.conv_in.conv.bias": torch.ones(3), "conditioner.embedders.0.x": torch.ones(1)}
    return {f"{SAT_TRANSFORMER.prefix}{key}": tensor for key, tensor in state.items()} | beside


SAT_VAE_RENAMED: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\bmid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}"),
    (r"\bdown_blocks\.(\d)", r"down.\1"),
    (r"\bup_blocks\.(\d)", lambda found: f"up.{3 - int(found[1])}"),
    (r"\bresnets\b", "block"),
    (r"\b(down|up)samplers\.0", r"\1sample"),
    (r"\bconv_shortcut\b", "nin_shortcut"),
)
"""From diffusers' names to those of the reference, after the published converter read backwards."""


def sat_vae_state(network: Any) -> dict[str, Any]:
    """Return what ``videokl_ch16_long_20w.pt`` has under "state_dict"."""
    import torch

    made = {}
    for name, tensor in network.state_dict().items():
        key = name
        for pattern, renamed in SAT_VAE_RENAMED:
            key = re.sub(pattern, renamed, key)
        made[key] = tensor
    return made | {"loss.logvar": torch.zeros(1)}


def save_shards(
    folder: Path, state: Mapping[str, Any], shards: int, *, stem: str = "diffusion_pytorch_model", pickled: bool = False
) -> Path:
    """Write tensors in shards with their index; return the index."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".bin" if pickled else ".safetensors"
    keys = list(state)
    places = {}
    for number in range(shards):
        name = f"{stem}-{number + 1:05d}-of-{shards:05d}{suffix}"
        part = {key: state[key].contiguous() for key in keys[number::shards]}
        if pickled:
            torch.save(part, folder / name)
        else:
            save_file(part, folder / name)
        places |= dict.fromkeys(part, name)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": places}), encoding="utf-8")
    return index


def write_wan_folder(folder: Path, network: Any, shards: int = 3) -> Path:
    """Write a transformer as Wan's releases have it: shards, their index and ``config.json``; return the folder."""
    save_shards(folder, wan_state(network), shards)
    config = WAN_CONFIG | {
        "dim": network.config.num_attention_heads * network.config.attention_head_dim,
        "num_heads": network.config.num_attention_heads,
        **{name: network.config[name] for name in ("ffn_dim", "freq_dim", "num_layers", "text_dim")},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_releases(folder: Path) -> Path:
    """Write the folders of V1 (5B, CogVideoX_VAE_T5), V3 and V3.2 as they are published; return the folder."""
    import torch

    for name in ("5B/1000", "CogVideoX_VAE_T5", "V3", "V3.2"):
        (folder / name).mkdir(parents=True)
    torch.save({"module": sat_state(sat_transformer())}, folder / "5B" / "1000" / "mp_rank_00_model_states.pt")
    vae = {"state_dict": sat_vae_state(sat_vae())}
    torch.save(vae, folder / "CogVideoX_VAE_T5" / "videokl_ch16_long_20w.pt")
    write_wan_folder(folder / "V3", wan_transformer())
    for seed, name in enumerate(("high_noise_model", "low_noise_model")):
        write_wan_folder(folder / "V3.2" / name, wan_transformer(has_image_branch=False, seed=10 + seed))
    for name in ("V3", "V3.2"):
        torch.save(wan_vae_state(wan_vae()), folder / name / "Wan2.1_VAE.pth")
        (folder / name / "models_t5_umt5-xxl-enc-bf16.pth").write_bytes(b"never opened")
    return folder
