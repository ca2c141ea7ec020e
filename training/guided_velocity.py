"""What sampling and its training ask of a network: the velocity with guidance, both branches in one call."""

from typing import TYPE_CHECKING, Any

from anisora.models.guidance import guided
from anisora.training.families.family import Inputs

if TYPE_CHECKING:
    import torch

__all__ = ["guided_velocity"]

_UNGUIDED = 1.0


def guided_velocity(
    network: Any,  # noqa: ANN401 - a VelocityNetwork, or what wraps one
    noised: "torch.Tensor",
    timesteps: "torch.Tensor",
    inputs: Inputs,
    without: "torch.Tensor",
    guidance: float,
) -> "torch.Tensor":
    """Return the velocity of noisy latents, (B, ...) float32.

    One call, so that what wraps the network for several processes sees one forward for one backward.

    Args:
        network: A ``VelocityNetwork``, or what wraps one.
        noised: (B, ...) latents.
        timesteps: (B,).
        inputs: With a batch axis.
        without: (1, tokens, dim), the embedding of the negative prompt; not used at a guidance of 1.
        guidance: Above 1, the prompt is followed more closely.
    """
    import torch

    if guidance == _UNGUIDED:
        alone: torch.Tensor = network(noised, timesteps, inputs)
        return alone
    doubled = Inputs(
        condition=torch.cat([inputs.condition] * 2),
        text=torch.cat([without.to(inputs.text).expand_as(inputs.text), inputs.text]),
        image=None if inputs.image is None else torch.cat([inputs.image] * 2),
    )
    unconditional, conditional = network(torch.cat([noised] * 2), timesteps.repeat(2), doubled).chunk(2)
    mixed: torch.Tensor = guided(unconditional, conditional, guidance)
    return mixed
