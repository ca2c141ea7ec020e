"""SAT's checkpoints of CogVideoX: AniSora V1's transformer and the VAE that goes with it.

The transformer's names were checked against the reference's class and its numbers against the reference's output.

The VAE's names are those of CogVideo's published module, of which a small one with random numbers gave the same latents
and frames as diffusers' class with this map. No output of AniSora's copy was at hand; not verified is that its file has
exactly these keys, and that its weights are those of stock CogVideoX.

Reference: anisoraV1_infer/fastercache/models/cogvideox/dit_video_concat.py (DiffusionTransformer);
CogVideo, sat/vae_modules/cp_enc_dec.py (ContextParallelEncoder3D, ContextParallelDecoder3D).
"""

import re
from typing import Final

from anisora.models.conversion.layout import CheckpointLayout, Piece

__all__ = ["SAT_TRANSFORMER", "SAT_VAE"]

_INDEX: Final = re.compile(r"\.(0|[1-9][0-9]*)(?=\.|$)")

_BLOCK: Final[dict[str, tuple[Piece, ...]]] = {
    "transformer.layers.{}.input_layernorm": (Piece("norm1.norm"),),
    "transformer.layers.{}.attention.query_key_value": (
        Piece("attn1.to_q", 3, (0,)),
        Piece("attn1.to_k", 3, (1,)),
        Piece("attn1.to_v", 3, (2,)),
    ),
    "transformer.layers.{}.attention.dense": (Piece("attn1.to_out.0"),),
    "transformer.layers.{}.post_attention_layernorm": (Piece("norm2.norm"),),
    "transformer.layers.{}.mlp.dense_h_to_4h": (Piece("ff.net.0.proj"),),
    "transformer.layers.{}.mlp.dense_4h_to_h": (Piece("ff.net.2"),),
    "mixins.adaln_layer.query_layernorm_list.{}": (Piece("attn1.norm_q"),),
    "mixins.adaln_layer.key_layernorm_list.{}": (Piece("attn1.norm_k"),),
    # Shift, scale and gate of attention and of the feed-forward part, of the clip, then of the text.
    "mixins.adaln_layer.adaLN_modulations.{}.1": (
        Piece("norm1.linear", 12, (0, 1, 2, 6, 7, 8)),
        Piece("norm2.linear", 12, (3, 4, 5, 9, 10, 11)),
    ),
}
"""{layers of a block, with its number left open: where their weight and bias go in the block}"""
_OUTSIDE: Final[dict[str, str]] = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "mixins.patch_embed.proj": "patch_embed.proj",
    "mixins.patch_embed.text_proj": "patch_embed.text_proj",
    "transformer.final_layernorm": "norm_final",
    "mixins.final_layer.norm_final": "norm_out.norm",
    "mixins.final_layer.adaLN_modulation.1": "norm_out.linear",
    "mixins.final_layer.linear": "proj_out",
}
_LEARNED_POSITIONS: Final = "mixins.pos_embed.pos_embedding"
_LEFT_OUT: Final = frozenset(
    {
        _LEARNED_POSITIONS,
        "mixins.pos_embed.freqs_sin",  # computed again for the size at hand
        "mixins.pos_embed.freqs_cos",
        "transformer.position_embeddings.weight",  # of SAT's base class, which nothing reads
        "transformer.word_embeddings.weight",
    }
)
_LEVELS: Final = 4
"""Resolutions of the VAE; its decoder counts them from the finest, diffusers from the coarsest."""


def _transformer_pieces(key: str) -> tuple[Piece, ...] | None:
    if key in _LEFT_OUT:
        return ()
    layer, _, kind = key.rpartition(".")
    if kind not in ("weight", "bias"):
        return None
    if layer in _OUTSIDE:
        return (Piece(f"{_OUTSIDE[layer]}.{kind}"),)
    index = _INDEX.search(layer)
    pieces = _BLOCK.get(f"{layer[: index.start()]}.{{}}{layer[index.end() :]}") if index else None
    if index is None or pieces is None:
        return None
    start = f"transformer_blocks.{index[1]}"
    return tuple(Piece(f"{start}.{piece.key}.{kind}", piece.parts, piece.taken) for piece in pieces)


def _vae_pieces(key: str) -> tuple[Piece, ...] | None:
    match key.split("."):
        case ["encoder" | "decoder", "conv_in" | "conv_out" | "norm_out", *_]:
            return (Piece(key),)
        case ["encoder" | "decoder" as half, "mid", "block_1" | "block_2" as block, *inside]:
            place = [half, "mid_block", "resnets", str(int(block[-1]) - 1)]
        case ["encoder" | "decoder" as half, "down" | "up" as way, level, *within] if level in map(str, range(_LEVELS)):
            if (half == "encoder") != (way == "down"):
                return None
            place = [half, f"{way}_blocks", level if way == "down" else str(_LEVELS - 1 - int(level))]
            match within:
                case ["block", number, *inside]:
                    place += ["resnets", number]
                case ["downsample" | "upsample" as sampler, *inside] if sampler.startswith(way):
                    place += [f"{sampler}rs", "0"]
                case _:
                    return None
        case _:
            return None
    return (Piece(".".join([*place, *("conv_shortcut" if part == "nin_shortcut" else part for part in inside)])),)


SAT_TRANSFORMER: Final = CheckpointLayout(
    name="sat-transformer",
    pieces=_transformer_pieces,
    # A network that learned positions of its own has no place for them in the one that it is converted to.
    must_be_zero=lambda key: key == _LEARNED_POSITIONS,
    prefix="model.diffusion_model.",
    beside=("first_stage_model.", "conditioner."),
    inside="module",
)
"""``mp_rank_00_model_states.pt`` of V1 and V1_RL, to CogVideoXTransformer3DModel."""

SAT_VAE: Final = CheckpointLayout(
    name="sat-vae",
    pieces=_vae_pieces,
    beside=("loss.",),
    inside="state_dict",
)
"""``videokl_ch16_long_20w.pt``, to AutoencoderKLCogVideoX."""
