"""The network of a training as one module: noisy latents and conditions in, a velocity out.

What is wrapped by accelerate is this module, so that gradients of several processes are averaged where they arise.
"""

import torch

from anisora.training.families.family import Family, Inputs

__all__ = ["VelocityNetwork"]


class VelocityNetwork(torch.nn.Module):
    """Asks the network of a family, in bfloat16 where that is wanted."""

    def __init__(self, family: Family, *, is_bfloat16: bool) -> None:
        super().__init__()
        self.family = family
        self.network = family.network
        self.is_bfloat16 = is_bfloat16

    def forward(self, noised: torch.Tensor, timesteps: torch.Tensor, inputs: Inputs) -> torch.Tensor:
        """Return the velocity that is predicted, float32.

        Args:
            noised: (B, ...) latents.
            timesteps: (B,).
            inputs: With a batch axis.
        """
        with torch.autocast(noised.device.type, dtype=torch.bfloat16, enabled=self.is_bfloat16):
            return self.family.velocity(noised, timesteps, inputs).float()
