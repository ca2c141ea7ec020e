"""Wan's original names of tensors and those of diffusers: the transformer of each release, and the VAE of Wan 2.1.

Original names: anisoraV3/wan/modules/model_infer.py (WanModel), anisoraV3/wan/modules/vae.py (WanVAE_).
"""

import re
from typing import Final

from anisora.models.conversion.layout import CheckpointLayout, Piece

__all__ = ["WAN_TRANSFORMER", "WAN_VAE", "wan_vae_layout"]

_KINDS: Final = frozenset({"weight", "bias", "gamma"})
"""Names of parameters of a layer; ``gamma`` is the scale of the VAE's normalisations."""

_TRANSFORMER: Final = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "head.head": "proj_out",
}
"""{layer: layer} outside the blocks; ``img_emb`` is of Wan 2.1 alone."""

_BLOCK: Final = {
    **{f"self_attn.{name}": f"attn1.to_{name}" for name in "qkv"},
    **{f"cross_attn.{name}": f"attn2.to_{name}" for name in "qkv"},
    "self_attn.o": "attn1.to_out.0",
    "cross_attn.o": "attn2.to_out.0",
    "self_attn.norm_q": "attn1.norm_q",
    "self_attn.norm_k": "attn1.norm_k",
    "cross_attn.norm_q": "attn2.norm_q",
    "cross_attn.norm_k": "attn2.norm_k",
    "cross_attn.k_img": "attn2.add_k_proj",
    "cross_attn.v_img": "attn2.add_v_proj",
    "cross_attn.norm_k_img": "attn2.norm_added_k",
    # The original counts its normalisations as they were added, diffusers as they are used.
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
"""{layer: layer} inside a block; those of the image are of Wan 2.1 alone."""

_OF_BLOCK: Final = re.compile(r"blocks\.(\d+)\.(.+)")
_MODULATION: Final = "modulation"
_TABLE: Final = "scale_shift_table"


def _transformer_key(key: str) -> str | None:
    if key == f"head.{_MODULATION}":
        return _TABLE
    inside = _OF_BLOCK.fullmatch(key)
    start, rest, layers = (f"blocks.{inside[1]}.", inside[2], _BLOCK) if inside else ("", key, _TRANSFORMER)
    if inside and rest == _MODULATION:
        return start + _TABLE
    return _renamed(rest, layers, start)


def _renamed(key: str, layers: dict[str, str], start: str) -> str | None:
    """Return the name of a parameter, whose layer is one of some; None where it is none of them."""
    layer, _, kind = key.rpartition(".")
    return f"{start}{layers[layer]}.{kind}" if layer in layers and kind in _KINDS else None


def _transformer_pieces(key: str) -> tuple[Piece, ...] | None:
    renamed = _transformer_key(key)
    return None if renamed is None else (Piece(renamed),)


WAN_TRANSFORMER: Final = CheckpointLayout(
    name="wan-transformer",
    pieces=_transformer_pieces,
    prefix="model.diffusion_model.",
    prefix_is_optional=True,
)
"""Of V2, V3, V3.1, the any-mask release and each expert of V3.2; files written by ComfyUI have the prefix."""

_VAE: Final = {
    "conv1": "quant_conv",
    "conv2": "post_quant_conv",
    **{
        f"{half}.{layer}": f"{half}.{renamed}"
        for half in ("encoder", "decoder")
        for layer, renamed in (("conv1", "conv_in"), ("head.0", "norm_out"), ("head.2", "conv_out"))
    },
}
_RESIDUAL: Final = {
    "residual.0": "norm1",
    "residual.2": "conv1",
    "residual.3": "norm2",
    "residual.6": "conv2",
    "shortcut": "conv_shortcut",
}
_RESAMPLE: Final = {"resample.1": "resample.1", "time_conv": "time_conv"}
_ATTENTION: Final = {"norm": "norm", "to_qkv": "to_qkv", "proj": "proj"}
_OF_STAGE: Final = re.compile(r"(encoder|decoder)\.(downsamples|middle|upsamples)\.(\d+)\.(.+)")
_MIDDLE: Final = (("resnets.0", _RESIDUAL), ("attentions.0", _ATTENTION), ("resnets.1", _RESIDUAL))


def _vae_key(key: str, num_res_blocks: int) -> str | None:
    inside = _OF_STAGE.fullmatch(key)
    if inside is None:
        return _renamed(key, _VAE, "")
    half, stage, number, rest = inside[1], inside[2], int(inside[3]), inside[4]
    if stage == "middle":
        if number >= len(_MIDDLE):
            return None
        place, layers = _MIDDLE[number]
        return _renamed(rest, layers, f"{half}.mid_block.{place}.")
    if (half == "encoder") != (stage == "downsamples"):
        return None
    layers = _RESAMPLE if rest.rpartition(".")[0] in _RESAMPLE else _RESIDUAL
    if stage == "downsamples":
        return _renamed(rest, layers, f"encoder.down_blocks.{number}.")
    # The original counts through all levels: one residual block more than the encoder has, then what enlarges.
    level, place_in_level = divmod(number, num_res_blocks + 2)
    enlarges = place_in_level == num_res_blocks + 1
    if enlarges != (layers is _RESAMPLE):
        return None
    module = "upsamplers.0" if enlarges else f"resnets.{place_in_level}"
    return _renamed(rest, layers, f"decoder.up_blocks.{level}.{module}.")


def wan_vae_layout(num_res_blocks: int = 2) -> CheckpointLayout:
    """Return the layout of a VAE.

    Args:
        num_res_blocks: Residual blocks of each level of the encoder; the decoder has one more.
    """

    def pieces(key: str) -> tuple[Piece, ...] | None:
        renamed = _vae_key(key, num_res_blocks)
        return None if renamed is None else (Piece(renamed),)

    return CheckpointLayout(name="wan-vae", pieces=pieces)


WAN_VAE: Final = wan_vae_layout()
"""Of ``Wan2.1_VAE.pth``, which every release has."""
