"""ActionCLIP at a tiny size, with seeded weights under the keys of the published file."""

from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.metrics.networks.actionclip import ActionClip, ActionClipSizes

__all__ = ["ACTIONCLIP", "tiny_actionclip"]

ACTIONCLIP = ActionClipSizes(
    embedding=16,
    image_size=32,
    vision_width=32,
    vision_layers=1,
    vision_heads=2,
    text_width=16,
    text_layers=1,
    text_heads=2,
    adapter_layers=1,
    adapter_heads=2,
)


def tiny_actionclip(seed: int = 3) -> ActionClip:
    """Make an ActionCLIP of size ACTIONCLIP."""
    import torch

    drawn = untrained_rule(shapes_of(ActionClip.empty(ACTIONCLIP)), tag="actionclip", seed=seed)
    return ActionClip({key: torch.from_numpy(array) for key, array in drawn.items()}, ACTIONCLIP)
