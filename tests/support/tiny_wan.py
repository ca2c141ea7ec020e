"""Wan's transformer and VAE at tiny size, their tensors under the original names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from anisora.harness.weights import untrained_rule

__all__ = [
    "IMAGE_DIM",
    "TRANSFORMER",
    "VAE",
    "drawn",
    "transformer_shapes",
    "vae_shapes",
]

TRANSFORMER: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **{"model_type": "i2v", "dim": 24, "ffn_dim": 20, "freq_dim": 16, "num_heads": 2, "num_layers": 2},
        **{"in_dim": 36, "out_dim": 16, "text_dim": 12, "text_len": 512, "eps": 1e-6},
    }
)
"""Fields of an original config.json, and ``text_dim``, which that does not have."""
IMAGE_DIM: Final = 10
VAE: Final[Mapping[str, Any]] = MappingProxyType(
    {"dim": 4, "z_dim": 16, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "temperal_downsample": [False, True]}
)
_WIDTHS: Final = (4, 8, 8)


def drawn(shapes: Mapping[str, tuple[int, ...]], seed: int = 1) -> dict[str, Any]:
    """Return {key: tensor} of seeded numbers."""
    import torch

    made = untrained_rule(shapes, tag="tiny-wan", seed=seed)
    return {key: torch.from_numpy(array) for key, array in made.items()}


def transformer_shapes(image_dim: int | None = IMAGE_DIM) -> dict[str, tuple[int, ...]]:
    """Return {original name: shape} of a transformer, with or without an image branch."""
    width, inner, freq, text = (TRANSFORMER[name] for name in ("dim", "ffn_dim", "freq_dim", "text_dim"))
    linear = {
        "text_embedding.0": (width, text),
        "text_embedding.2": (width, width),
        "time_embedding.0": (width, freq),
        "time_embedding.2": (width, width),
        "time_projection.1": (6 * width, width),
        "head.head": (4 * 16, width),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (width, 36, 1, 2, 2),
        "patch_embedding.bias": (width,),
        "head.modulation": (1, 2, width),
    }
    if image_dim is not None:
        linear |= {"img_emb.proj.1": (image_dim, image_dim), "img_emb.proj.3": (width, image_dim)}
        shapes |= {f"img_emb.proj.0.{kind}": (image_dim,) for kind in ("weight", "bias")}
        shapes |= {f"img_emb.proj.4.{kind}": (width,) for kind in ("weight", "bias")}
    for number in range(TRANSFORMER["num_layers"]):
        block = f"blocks.{number}."
        layers = [f"{attention}.{name}" for attention in ("self_attn", "cross_attn") for name in "qkvo"]
        norms = [f"{attention}.norm_{name}" for attention in ("self_attn", "cross_attn") for name in "qk"]
        if image_dim is not None:
            layers += ["cross_attn.k_img", "cross_attn.v_img"]
            norms.append("cross_attn.norm_k_img")
        linear |= {block + layer: (width, width) for layer in layers}
        linear |= {block + "ffn.0": (inner, width), block + "ffn.2": (width, inner)}
        shapes |= {f"{block}{norm}.weight": (width,) for norm in norms}
        shapes |= {f"{block}norm3.{kind}": (width,) for kind in ("weight", "bias")}
        shapes[block + "modulation"] = (1, 6, width)
    for layer, (rows, columns) in linear.items():
        shapes |= {f"{layer}.weight": (rows, columns), f"{layer}.bias": (rows,)}
    return shapes


def vae_shapes() -> dict[str, tuple[int, ...]]:
    """Return {original name: shape} of a VAE of three levels, the second of which halves the frames too."""
    z, top = VAE["z_dim"], _WIDTHS[-1]
    shapes = _convolution("conv1", 2 * z, 2 * z, (1, 1, 1))
    shapes |= _convolution("conv2", z, z, (1, 1, 1))
    for half, inputs, outputs, start, end in (("encoder", 3, 2 * z, _WIDTHS[0], top), ("decoder", z, 3, top, 4)):
        shapes |= _convolution(f"{half}.conv1", start, inputs, (3, 3, 3))
        shapes |= _convolution(f"{half}.head.2", outputs, end, (3, 3, 3))
        shapes[f"{half}.head.0.gamma"] = (end, 1, 1, 1)
        for place in (0, 2):
            shapes |= _residual(f"{half}.middle.{place}", top, top)
        shapes[f"{half}.middle.1.norm.gamma"] = (top, 1, 1)
        shapes |= _convolution(f"{half}.middle.1.to_qkv", 3 * top, top, (1, 1))
        shapes |= _convolution(f"{half}.middle.1.proj", top, top, (1, 1))
    for number, (inputs, outputs) in {0: (4, 4), 2: (4, 8), 4: (8, 8)}.items():
        shapes |= _residual(f"encoder.downsamples.{number}", inputs, outputs)
    shapes |= _convolution("encoder.downsamples.1.resample.1", 4, 4, (3, 3))
    shapes |= _convolution("encoder.downsamples.3.resample.1", 8, 8, (3, 3))
    shapes |= _convolution("encoder.downsamples.3.time_conv", 8, 8, (3, 1, 1))
    # What enlarges halves the channels, and the level behind it widens them again.
    for number, (inputs, outputs) in {0: (8, 8), 1: (8, 8), 3: (4, 8), 4: (8, 8), 6: (4, 4), 7: (4, 4)}.items():
        shapes |= _residual(f"decoder.upsamples.{number}", inputs, outputs)
    for number in (2, 5):
        shapes |= _convolution(f"decoder.upsamples.{number}.resample.1", 4, 8, (3, 3))
    shapes |= _convolution("decoder.upsamples.2.time_conv", 16, 8, (3, 1, 1))
    return shapes


def _residual(block: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{block}.residual.0.gamma": (inputs, 1, 1, 1),
        f"{block}.residual.3.gamma": (outputs, 1, 1, 1),
        **_convolution(f"{block}.residual.2", outputs, inputs, (3, 3, 3)),
        **_convolution(f"{block}.residual.6", outputs, outputs, (3, 3, 3)),
    }
    if inputs != outputs:
        shapes |= _convolution(f"{block}.shortcut", outputs, inputs, (1, 1, 1))
    return shapes


def _convolution(layer: str, outputs: int, inputs: int, kernel: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"{layer}.weight": (outputs, inputs, *kernel), f"{layer}.bias": (outputs,)}
