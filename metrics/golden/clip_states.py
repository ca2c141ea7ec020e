"""Seeded states of CLIP as golden cases have them: the image tower filled, rounded to float16; the rest is zero."""

from anisora.harness.networks import without_numbers
from anisora.harness.weights import Tensors
from anisora.metrics.golden.dimension import seeded_state
from anisora.metrics.networks.clip import TOWERS

__all__ = ["clip_shapes", "clip_state"]


def clip_shapes(tower: str) -> dict[str, tuple[int, ...]]:
    """Return {key: shape} of the published file, its text tower included and its three numbers left out."""
    import open_clip

    with without_numbers():
        module = open_clip.model.CLIP(**open_clip.get_model_config(TOWERS[tower]))
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items() if key != "logit_bias"}


def clip_state(tower: str, tag: str, seed: int) -> Tensors:
    """Return the seeded state of a tower.

    Args:
        tower: ``ViT-L/14`` or ``ViT-B/32``.
        tag: Of the rule.
        seed: Of the case.
    """
    import torch

    state = seeded_state(clip_shapes(tower), tag, seed, only="visual.")
    return {key: tensor.to(torch.float16).to(torch.float32) for key, tensor in state.items()}
