"""A transformer as the sampling loop, a trainer and a golden case call it: numbers in, a float32 velocity out."""

from typing import TYPE_CHECKING

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.guide_slots import latent_frames
from anisora.models.cogvideox.rotary import rotary_positions

if TYPE_CHECKING:
    import torch
    from diffusers import CogVideoXTransformer3DModel

__all__ = ["TransformerCall"]


class TransformerCall:
    """Calls a transformer in its own number format, with the rotary positions of the clip at hand.

    Attributes:
        network: The transformer, filled.
        timestep: Of the call that is running, or was last; None where none has been, or it had several.
    """

    def __init__(self, network: "CogVideoXTransformer3DModel", *, stretched: bool = False) -> None:
        """Take a network.

        Args:
            network: The transformer, filled.
            stretched: Stretch rows and columns to the size of the network's configuration, as stock CogVideoX does;
                else they are counted from 0, as AniSora does.
        """
        self.network = network
        self.timestep: int | None = None
        config = network.config
        self._trained = (config.sample_height, config.sample_width) if stretched else None
        self._positions: tuple[tuple[int, ...], tuple[torch.Tensor, torch.Tensor]] | None = None

    @property
    def is_cached(self) -> bool:
        """Whether the network leaves computations out that it did before, and needs both branches in one call."""
        return bool(self.network.is_cache_enabled)

    def __call__(self, latents: "torch.Tensor", text: "torch.Tensor", timestep: "int | torch.Tensor") -> "torch.Tensor":
        """Return the velocity that the network predicts.

        Args:
            latents: (B, T, C, h, w): noisy latents, then those of the condition along C.
            text: (B, L, D), padded and without a mask.
            timestep: 0 to 999, of all or (B,).

        Returns:
            (B, T, C', h, w), float32.

        Raises:
            ConfigError: The size has no whole patches, or the network knows positions of one other size alone.
        """
        import torch

        network = self.network
        latents = latents.to(network.device, network.dtype)
        self.timestep = timestep if isinstance(timestep, int) else None
        size = (latents.shape[1], *latents.shape[3:])
        self._check_learned_positions(size)
        predicted: torch.Tensor = network(
            hidden_states=latents,
            encoder_hidden_states=text.to(network.device, network.dtype),
            timestep=torch.as_tensor(timestep, device=network.device).expand(len(latents)),
            image_rotary_emb=self._rotary(size),
            return_dict=False,
        )[0]
        return predicted.float()

    def _rotary(self, size: tuple[int, ...]) -> "tuple[torch.Tensor, torch.Tensor]":
        if self._positions is None or self._positions[0] != size:
            config = self.network.config
            cosines, sines = rotary_positions(
                *size, head_dim=config.attention_head_dim, patch_size=config.patch_size, trained=self._trained
            )
            self._positions = (size, (cosines.to(self.network.device), sines.to(self.network.device)))
        return self._positions[1]

    def _check_learned_positions(self, size: tuple[int, ...]) -> None:
        """Refuse another size than learned positions are for: diffusers puts sines in their place where T differs."""
        config = self.network.config
        learned = (
            latent_frames(config.sample_frames, config.temporal_compression_ratio),
            config.sample_height,
            config.sample_width,
        )
        if config.use_learned_positional_embeddings and size != learned:
            raise ConfigError(
                f"The latent clip has (frames, height, width) {size}; expected {learned}, the one size that this "
                f"network has learned positions for. Ask for {config.sample_frames} frames of "
                f"{8 * config.sample_width}x{8 * config.sample_height} pixels."
            )
