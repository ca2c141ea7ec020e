"""CogVideoX's VAE: an image to the latent of one frame, and latents to frames.

A posterior is sampled, not taken at its mean, as the reference does; noise is drawn on the CPU in float32, so that one
seed gives the same latents on every device and in every number format.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import ConfigError
from anisora.harness.networks import without_numbers
from anisora.harness.types import Frames
from anisora.models.cogvideox.drawn_noise import step_noise

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKLCogVideoX

__all__ = [
    "SCALING",
    "build_autoencoder",
    "decode_latents",
    "decoded_frames",
    "encode_image",
    "encode_posterior",
]

SCALING: Final = 0.7
"""What a latent is multiplied by for the transformer."""
_SPATIAL: Final = 8
"""Pixels on a side of a latent pixel."""


def build_autoencoder(arguments: Mapping[str, Any] | None = None) -> "AutoencoderKLCogVideoX":
    """Return the VAE without numbers.

    Args:
        arguments: Of diffusers' class, whose own defaults are the released sizes.

    Raises:
        ConfigError: It has another scaling than CogVideoX 1.0.
    """
    from diffusers import AutoencoderKLCogVideoX

    given = {"scaling_factor": SCALING, **(arguments or {})}
    if given["scaling_factor"] != SCALING or given.get("invert_scale_latents"):
        raise ConfigError(
            f"`scaling_factor` got {given['scaling_factor']}"
            f"{', inverted' if given.get('invert_scale_latents') else ''}; expected {SCALING}, as CogVideoX 1.0 has "
            "it. Name the VAE of that generation."
        )
    with without_numbers():
        return AutoencoderKLCogVideoX(**given)


def encode_image(
    autoencoder: "AutoencoderKLCogVideoX", image: "torch.Tensor", generator: "torch.Generator"
) -> "torch.Tensor":
    """Return a sample of the latent of each image, encoded as a clip of one frame, scaled.

    Args:
        autoencoder: The VAE, filled.
        image: (B, 3, H, W) in -1 to 1; sides are multiples of 8.
        generator: On the CPU; one draw is taken from it.

    Returns:
        (B, C, H / 8, W / 8), float32, on the VAE's device.
    """
    mean, std = encode_posterior(autoencoder, image.unsqueeze(2))
    sampled = mean + std * step_noise(generator, mean.shape, mean.device)
    return sampled.squeeze(2) * SCALING


def encode_posterior(
    autoencoder: "AutoencoderKLCogVideoX", video: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the mean and the standard deviation of the latents of clips, not scaled.

    Args:
        autoencoder: The VAE, filled.
        video: (B, 3, F, H, W) in -1 to 1; F is 1 or 8k+1, sides are multiples of 8.

    Returns:
        Two tensors (B, C, T, H / 8, W / 8), float32, on the VAE's device.
    """
    autoencoder.disable_tiling()
    posterior = autoencoder.encode(video.to(autoencoder.device, autoencoder.dtype)).latent_dist
    return posterior.mean.float(), posterior.std.float()


def decode_latents(
    autoencoder: "AutoencoderKLCogVideoX", latents: "torch.Tensor", *, tiled: bool = False
) -> "torch.Tensor":
    """Return the frames of latents: those of the first three together, then two at a time.

    Args:
        autoencoder: The VAE, filled.
        latents: (B, T, C, h, w), scaled; T is odd.
        tiled: Decode parts of a frame apart and blend them, which needs less memory and gives slightly other frames.

    Returns:
        (B, 3, 4 * (T - 1) + 1, 8 * h, 8 * w), float32, nominally in -1 to 1, on the VAE's device.

    Raises:
        ConfigError: The number of latents is even: decoded two at a time, each two would give eight frames, the
            first ones too, though the first latent stands for one frame. Or the tiles of this VAE do not fit together.
    """
    frames = latents.shape[1]
    if frames % 2 == 0:
        raise ConfigError(
            f"`latents` has {frames} latent frames; expected an odd number, of a clip of 8k+1 frames. Ask for "
            f"{4 * frames - 7} or {4 * frames + 1} frames."
        )
    if tiled:
        autoencoder.enable_tiling()
    else:
        autoencoder.disable_tiling()
    unscaled = (latents / SCALING).transpose(1, 2).to(autoencoder.device, autoencoder.dtype)
    decoded: torch.Tensor = autoencoder.decode(unscaled).sample.float()
    expected = [_SPATIAL * side for side in latents.shape[3:]]
    if list(decoded.shape[3:]) != expected:
        raise ConfigError(
            f"`tiled` gave frames of {list(decoded.shape[3:])} (height, width); expected {expected}: the overlap of "
            f"the tiles is no whole number of latent pixels. Decode without tiles, or choose another sample_height "
            "and sample_width of the VAE; 480 and 720 fit."
        )
    return decoded


def decoded_frames(autoencoder: "AutoencoderKLCogVideoX", latents: "torch.Tensor", *, tiled: bool = False) -> Frames:
    """Return the frames of a clip's latents; arguments and errors as of ``decode_latents``, with a batch of 1.

    Returns:
        (frames, height, width, 3) uint8.
    """
    import torch

    video = decode_latents(autoencoder, latents, tiled=tiled)[0]
    levels = ((video.permute(1, 2, 3, 0) + 1) * 127.5).round().clamp(0, 255)
    frames: Frames = levels.to(torch.uint8).cpu().numpy()
    return frames
