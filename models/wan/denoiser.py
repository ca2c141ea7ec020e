"""A transformer as the sampling loop and trainers call it: text padded, float32 around its own number format."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.networks import TEXT_LENGTH

if TYPE_CHECKING:
    import torch

__all__ = ["WanDenoiser", "padded_text"]


def padded_text(texts: "Sequence[torch.Tensor]", length: int = TEXT_LENGTH) -> "torch.Tensor":
    """Return texts as one tensor, zeros behind the tokens of each.

    Args:
        texts: Each (tokens, text_dim), as the text encoder gives them, without its padding.
        length: Tokens of the result.

    Returns:
        (len(texts), length, text_dim).

    Raises:
        DataError: A text is longer, or no sequence of tokens.
    """
    import torch

    for place, text in enumerate(texts):
        if text.ndim != 2 or len(text) > length:
            raise DataError(
                f"`texts` has one of shape {tuple(text.shape)}; expected (tokens, text_dim) with at most {length} "
                f"tokens. Cut text {place} when it is tokenised."
            )
    return torch.stack([torch.cat([text, text.new_zeros(length - len(text), text.shape[1])]) for text in texts])


class WanDenoiser:
    """A ``diffusers.WanTransformer3DModel`` that takes and returns float32.

    Args:
        network: Filled, on its device.
        text_len: Tokens of text that it was trained with.
    """

    def __init__(self, network: Any, *, text_len: int = TEXT_LENGTH) -> None:  # noqa: ANN401 - an optional library
        self.network = network
        self.text_len = text_len

    def __call__(
        self,
        latents: "torch.Tensor",
        timestep: "torch.Tensor",
        text: "torch.Tensor",
        image: "torch.Tensor | None" = None,
    ) -> "torch.Tensor":
        """Return the velocity, noise - clean.

        Args:
            latents: (B, 36, T, h, w), the noisy latents and then the condition.
            timestep: (B,), 0 to 1000.
            text: (B, tokens, text_dim); zeros are put behind up to ``text_len``.
            image: (B, tokens, image_dim), the embedding of the first image, for networks that have a branch for it.

        Returns:
            (B, 16, T, h, w) float32.

        Raises:
            ConfigError: The network needs an image and has none, or the reverse.
            DataError: The text is too long.
        """
        branch = self.network.config.image_dim
        if (branch is None) != (image is None):
            raise ConfigError(
                f"`image` is {'missing' if image is None else 'given'}, and the network has "
                f"{'no image branch' if branch is None else f'an image branch of {branch} numbers'}; expected an "
                "embedding of CLIP for Wan 2.1 (V2, V3, any-mask) and none for Wan 2.2 (V3.2)."
            )
        dtype = self.network.patch_embedding.weight.dtype
        velocity: torch.Tensor = self.network(
            hidden_states=latents.to(dtype),
            timestep=timestep,
            encoder_hidden_states=padded_text(list(text), self.text_len).to(dtype),
            encoder_hidden_states_image=None if image is None else image.to(dtype),
            return_dict=False,
        )[0]
        return velocity.float()
