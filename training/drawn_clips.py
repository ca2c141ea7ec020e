"""Clips of the network in training as the model's own adapter draws them, without the noise of GRPO."""

from typing import TYPE_CHECKING

from anisora.training.encodings import Encodings
from anisora.training.families.family import Family, Inputs, Sampling
from anisora.training.posed_items import FramedItem

if TYPE_CHECKING:
    import torch

__all__ = ["drawn_latents"]


def drawn_latents(
    family: Family,
    encodings: Encodings,
    item: FramedItem,
    generator: "torch.Generator",
    sampling: Sampling,
    *,
    device: "torch.device",
    is_bfloat16: bool,
) -> "torch.Tensor":
    """Return the latents of a clip, with the weights as they are now; the same draws give the same clip.

    Args:
        family: Has the network.
        encodings: Has what is known of the item.
        item: The prompt and the first frame.
        generator: On the CPU.
        sampling: How.
        device: Where the network is.
        is_bfloat16: Whether it computes in bfloat16.

    Returns:
        (1, ...).
    """
    import torch

    encoded = encodings.first_frame(item.image, item.bucket)
    condition, image = family.posed(encoded, item.bucket.frames, generator)
    inputs = Inputs(
        condition=condition[None].to(device),
        text=encodings.text(item.prompt)[None].to(device),
        image=None if image is None else image[None].to(device),
    )
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_bfloat16):
        return family.sampled(inputs, encodings.without()[None].to(device), generator, sampling)
