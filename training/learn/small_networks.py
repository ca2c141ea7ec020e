"""The small networks of ``anisora learn``: the classes of Wan 2.1, few layers, and numbers to begin with.

The VAE works on patches of two by two pixels and halves both sides and the frames twice, as that of Wan 2.2 does, and
has Wan 2.1's sixteen channels, eighth sides and quarter frames of latents. Text and image encoders keep their random
numbers: all that is asked of them is to give other numbers for other prompts and images.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.device import seed_everything
from anisora.models.library_networks import (
    TINY_IMAGE,
    TINY_TEXT,
    tiny_image_network,
    tiny_text_network,
    tiny_tokenizer,
)
from anisora.models.wan.networks import transformer_settings

if TYPE_CHECKING:
    from torch import nn

__all__ = ["new_transformer", "new_vae", "write_networks"]

_TRANSFORMER: Final = {
    "dim": 128,
    "ffn_dim": 512,
    "freq_dim": 64,
    "in_dim": 36,
    "out_dim": 16,
    "num_heads": 4,
    "num_layers": 4,
    "text_dim": TINY_TEXT,
}
_PATCH: Final = 2
_VAE: Final = {
    "base_dim": 16,
    "z_dim": 16,
    "dim_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True, True],
    "is_residual": True,
    "patch_size": _PATCH,
    "in_channels": 3 * _PATCH**2,
    "out_channels": 3 * _PATCH**2,
}
_FIRST_LOG_VARIANCE: Final = -6.0
"""Of the posterior before training: with that of the library, near 0, its noise would drown all there is to learn."""


def new_vae(seed: int) -> "nn.Module":
    """Return a VAE to train: residual blocks begin as identities, no frame sees earlier ones, the posterior is narrow.

    What is learned of single frames holds for clips at once, in which a latent frame then shows the mean of its four,
    as in a VAE of images that was inflated to clips.

    Args:
        seed: The same numbers for the same seed.
    """
    import torch
    from diffusers import AutoencoderKLWan
    from diffusers.models.autoencoders.autoencoder_kl_wan import (
        WanAttentionBlock,
        WanCausalConv3d,
        WanResample,
        WanResidualBlock,
    )

    seed_everything(seed)
    vae: Any = AutoencoderKLWan(**_VAE)
    with torch.no_grad():
        for module in vae.modules():
            if isinstance(module, WanCausalConv3d):
                module.weight[:, :, :-1] = 0
            if isinstance(module, WanResidualBlock):
                module.conv2.weight.zero_()
            elif isinstance(module, WanAttentionBlock):
                module.proj.weight.zero_()
            elif isinstance(module, WanResample) and hasattr(module, "time_conv"):
                _pass_frames(module)
        log_variances = slice(vae.config.z_dim, None)
        vae.quant_conv.weight[log_variances] *= 0.1
        vae.quant_conv.bias[log_variances] = _FIRST_LOG_VARIANCE
    return vae  # type: ignore[no-any-return]


def _pass_frames(resample: Any) -> None:  # noqa: ANN401 - a module of diffusers
    """Let what halves the frames give the mean of two, and what doubles them give each twice."""
    import torch

    convolution = resample.time_conv
    identity = torch.eye(resample.dim)
    convolution.weight.zero_()
    convolution.bias.zero_()
    if resample.mode == "downsample3d":
        convolution.weight[:, :, 1:, 0, 0] = identity[..., None] / 2
    else:
        convolution.weight[:, :, -1, 0, 0] = torch.cat([identity, identity])


def new_transformer(seed: int) -> "nn.Module":
    """Return a transformer to train, with numbers as the library draws them.

    Args:
        seed: The same numbers for the same seed.
    """
    from diffusers import WanTransformer3DModel

    seed_everything(seed)
    return WanTransformer3DModel(**transformer_settings(_TRANSFORMER, TINY_IMAGE))  # type: ignore[no-any-return]


def write_networks(transformer: "nn.Module", vae: "nn.Module", folder: Path) -> None:
    """Write a folder of diffusers that ``wan-2.1:weights=DIR`` reads.

    Args:
        transformer: Of Wan's class.
        vae: The same.
        folder: Exists.

    Raises:
        OSError: The disk is full.
    """
    parts: dict[str, Any] = {
        "transformer": transformer,
        "vae": vae,
        "text_encoder": tiny_text_network(multilingual=True),
        "tokenizer": tiny_tokenizer(),
        "image_encoder": tiny_image_network(),
    }
    for name, part in parts.items():
        part.save_pretrained(folder / name)
