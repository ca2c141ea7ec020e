"""What the networks of a Wan release take of a device, before anything is loaded."""

from typing import Final

from anisora.harness.device import Dtype
from anisora.harness.memory_estimate import DTYPE_BYTES
from anisora.harness.networks import parameters_of
from anisora.models.generation_memory import (
    TILE,
    ComponentMemory,
    GenerationMemory,
    decoder_working,
    transformer_working,
)
from anisora.models.generation_request import GenerationRequest
from anisora.models.wan.components import WanFiles, shapes_alone
from anisora.models.wan.latent_size import VAE_STRIDE, latent_frames
from anisora.models.wan.releases import WanRelease

__all__ = ["IMAGE_PARAMETERS", "TEXT_PARAMETERS", "wan_memory"]

_EXPERT_NAMES: Final = ("transformer", "transformer_2")
TEXT_PARAMETERS: Final = 5_680_910_336
"""Of UMT5-XXL's encoder."""
IMAGE_PARAMETERS: Final = 630_766_080
"""Of CLIP ViT-H/14's image encoder."""
_VAE_CHUNK: Final = VAE_STRIDE[0]
"""Frames that the VAE decodes at once."""


def wan_memory(
    release: WanRelease,
    files: WanFiles | None,
    request: GenerationRequest,
    dtype: Dtype,
    *,
    text: int,
    image: int,
    tiny: bool,
    tiling: bool,
) -> GenerationMemory:
    """Return what a request takes of a device.

    Args:
        release: Which networks there are.
        files: Whose sizes count; None for those of the published networks.
        request: Says how large the clip is.
        dtype: Number format of transformers.
        text: Bytes of the text encoder.
        image: Bytes of the image encoder, where the release has one.
        tiny: Whether these are the small networks with random numbers.
        tiling: Whether the VAE works on parts of a frame.
    """
    transformer, vae = shapes_alone(release, files, tiny=tiny)
    config = transformer.config
    frames = latent_frames(request.num_frames)
    tokens = frames * (request.height // 16) * (request.width // 16)
    width = config.num_attention_heads * config.attention_head_dim
    weights = parameters_of(transformer) * DTYPE_BYTES[dtype]
    block = ComponentMemory(
        weights=weights,
        working=transformer_working(tokens, width, config.ffn_dim, dtype),
        layer=weights // config.num_layers,
    )
    base = vae.config.base_dim
    components = dict.fromkeys(_EXPERT_NAMES[: 2 if release.experts else 1], block)
    components["vae"] = ComponentMemory(
        weights=parameters_of(vae) * DTYPE_BYTES["float32"],
        working=decoder_working(request.height, request.width, request.num_frames, base, _VAE_CHUNK, "float32"),
        working_tiled=decoder_working(TILE, TILE, request.num_frames, base, _VAE_CHUNK, "float32")
        + 2 * 3 * request.num_frames * request.height * request.width * DTYPE_BYTES["float32"],
    )
    components["text_encoder"] = ComponentMemory(weights=text, working=0)
    if not release.experts:
        components["image_encoder"] = ComponentMemory(weights=image, working=0)
    return GenerationMemory(components=components, tiling=tiling)
