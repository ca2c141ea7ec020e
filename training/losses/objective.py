"""What a network is trained to predict: a velocity between clean latents and noise, under some noising."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anisora.harness.errors import DataError
from anisora.training.per_sample import at_least_float32, mean_of_each

if TYPE_CHECKING:
    import torch

__all__ = ["Objective", "squared_errors"]

OfNoisedClip = Callable[["torch.Tensor", "torch.Tensor", "float | torch.Tensor"], "torch.Tensor"]
"""(clean (B, ...), noise (B, ...), level: a number or (B,)) -> (B, ...)."""


def squared_errors(prediction: "torch.Tensor", target: "torch.Tensor") -> "torch.Tensor":
    """Return the mean squared error of each sample, in float32 at least.

    Args:
        prediction: (B, ...).
        target: (B, ...).

    Returns:
        (B,).

    Raises:
        DataError: The shapes differ.
    """
    if prediction.shape != target.shape:
        raise DataError(
            f"`prediction` has shape {tuple(prediction.shape)}; expected {tuple(target.shape)}, the target's. "
            "Cut off what the network predicts beside the velocity."
        )
    return mean_of_each((at_least_float32(prediction) - at_least_float32(target)) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """How latents are noised and what is predicted of them; preference losses take either family of networks."""

    add_noise: OfNoisedClip
    """Noisy latents at a level."""
    target: OfNoisedClip
    """The velocity there."""

    def errors(
        self,
        prediction: "torch.Tensor",
        clean: "torch.Tensor",
        noise: "torch.Tensor",
        level: "float | torch.Tensor",
    ) -> "torch.Tensor":
        """Return the mean squared error of each sample's velocity.

        Args:
            prediction: (B, ...), of the network.
            clean: (B, ...), latents.
            noise: (B, ...), standard normal.
            level: One number or (B,).

        Returns:
            (B,), float32 at least.

        Raises:
            DataError: The shapes do not fit together.
        """
        return squared_errors(prediction, self.target(clean, noise, level))
