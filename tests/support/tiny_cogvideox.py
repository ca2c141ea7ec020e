"""CogVideoX's networks at sizes that a test has time for, with seeded numbers."""

from typing import Any

from seeded_weights import seeded_tensor

from anisora.harness.networks import shapes_of
from anisora.models.cogvideox.autoencoder import build_autoencoder
from anisora.models.cogvideox.networks import NormEpsilons, TransformerSizes, build_transformer, fill_network
from anisora.models.cogvideox.transformer_call import TransformerCall

__all__ = ["AUTOENCODER", "SIZES", "TEXT", "seeded_autoencoder", "seeded_call", "seeded_state"]

SIZES = TransformerSizes(
    hidden_size=32, num_heads=2, head_dim=16, num_layers=2, time_embed_dim=8, text_dim=12, text_length=5
)
TEXT = (1, SIZES.text_length, SIZES.text_dim)
AUTOENCODER = {
    "block_out_channels": (4, 4, 8, 4),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    # A tile is half of these; its overlap, a sixth and a fifth, is a whole number of latent pixels.
    "sample_height": 96,
    "sample_width": 80,
}


def seeded_state(network: Any, *, seed: int = 0, factor: float = 1.0) -> dict[str, Any]:
    """Return numbers for a network, those of matrices times a factor."""
    import torch

    state = {
        key: torch.from_numpy(seeded_tensor(key, shape, tag="tiny", seed=seed))
        for key, shape in shapes_of(network).items()
    }
    return {key: tensor * factor if tensor.ndim > 1 else tensor for key, tensor in state.items()}


def seeded_call(*, factor: float = 1.0, stretched: bool = False, **arguments: Any) -> TransformerCall:
    """Return a transformer of SIZES; further arguments are diffusers'."""
    network = build_transformer({**SIZES.arguments(), **arguments}, NormEpsilons())
    filled = fill_network(network, "tiny", state=seeded_state(network, factor=factor))
    return TransformerCall(filled, stretched=stretched)


def seeded_autoencoder() -> Any:
    """Return a VAE of AUTOENCODER."""
    network = build_autoencoder(AUTOENCODER)
    return fill_network(network, "tiny", state=seeded_state(network))
