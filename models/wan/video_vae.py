"""Wan's VAE as generation uses it: the mode of the posterior, normalised latents, pixels that stay in -1 to 1."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import DataError
from anisora.models.wan.condition_tensor import LATENTS_MEAN, LATENTS_STD, normalised
from anisora.models.wan.latent_size import VAE_STRIDE

if TYPE_CHECKING:
    import torch

__all__ = ["WanVae"]


class WanVae:
    """A ``diffusers.AutoencoderKLWan`` for one clip at a time.

    It computes in the network's number format and on its device, and returns float32.

    Args:
        network: Filled, on its device.
        latents_mean: Of each channel.
        latents_std: The same.
        tiling: Whether large frames are encoded and decoded in overlapping tiles: less memory, and slightly other
            numbers.

    Raises:
        DataError: The constants are not as many as the network's channels.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401 - a class of an optional library
        *,
        latents_mean: Sequence[float] = LATENTS_MEAN,
        latents_std: Sequence[float] = LATENTS_STD,
        tiling: bool = False,
    ) -> None:
        channels = network.config.z_dim
        if not len(latents_mean) == len(latents_std) == channels:
            raise DataError(
                f"`latents_mean` has {len(latents_mean)} and `latents_std` {len(latents_std)} entries; expected "
                f"{channels}, the channels of the latents. Pass those that the VAE was published with."
            )
        self.network = network
        self.latents_mean = tuple(latents_mean)
        self.latents_std = tuple(latents_std)
        if tiling:
            network.enable_tiling()
        else:
            network.disable_tiling()

    def encode(self, video: "torch.Tensor") -> "torch.Tensor":
        """Return the mode of the posterior, not normalised: what ``condition_tensor.Encode`` asks for.

        Args:
            video: (3, F, H, W) in -1 to 1; F is 1, 5, 9, ...

        Returns:
            (z, (F + 3) // 4, h, w) float32.

        Raises:
            DataError: The clip has another number of frames: the last ones would be lost.
        """
        if video.ndim != 4 or video.shape[1] % VAE_STRIDE[0] != 1:
            raise DataError(
                f"`video` has shape {tuple(video.shape)}; expected (3, F, H, W) with one frame more than a multiple of "
                f"{VAE_STRIDE[0]}. Cut or repeat frames."
            )
        parameter = next(self.network.parameters())
        posterior = self.network.encode(video[None].to(parameter)).latent_dist
        latents: torch.Tensor = posterior.mode()[0].float()
        return latents

    def latents(self, video: "torch.Tensor") -> "torch.Tensor":
        """Return the normalised latents of a clip; see ``encode``.

        Args:
            video: (3, F, H, W) in -1 to 1.

        Returns:
            (z, (F + 3) // 4, h, w) float32.

        Raises:
            DataError: The clip has a number of frames that the VAE cannot have.
        """
        return normalised(self.encode(video), self.latents_mean, self.latents_std)

    def decode(self, latents: "torch.Tensor") -> "torch.Tensor":
        """Return the clip of normalised latents.

        Args:
            latents: (z, T, h, w).

        Returns:
            (3, 4 (T - 1) + 1, H, W) float32 in -1 to 1.

        Raises:
            DataError: They have another number of channels or axes.
        """
        if latents.ndim != 4 or len(latents) != len(self.latents_mean):
            raise DataError(
                f"`latents` has shape {tuple(latents.shape)}; expected ({len(self.latents_mean)}, T, h, w). "
                "Decode one clip at a time."
            )
        mean, std = (latents.new_tensor(values).view(-1, 1, 1, 1) for values in (self.latents_mean, self.latents_std))
        parameter = next(self.network.parameters())
        decoded = self.network.decode((latents * std + mean)[None].to(parameter), return_dict=False)[0]
        pixels: torch.Tensor = decoded[0].float()
        return pixels
