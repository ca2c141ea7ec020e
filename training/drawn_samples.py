"""What is drawn for a sample, from a generator of its own: by the seed, the step and the place in the step's batch.

So it does not matter which process a sample falls to, what was drawn before it, or where a training was stopped.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from anisora.training.families.family import Inputs, Level

if TYPE_CHECKING:
    import torch

__all__ = ["Levels", "generator_of", "stacked_inputs", "stacked_levels"]

Item = TypeVar("Item")


class Levels(NamedTuple):
    """How much the samples of a batch are noised, each (B,)."""

    level: "torch.Tensor"
    """float64, on the CPU: levels near 1 have few digits in float32."""
    timesteps: "torch.Tensor"
    weights: "torch.Tensor"


def generator_of(seed: int, step: int, place: int) -> "torch.Generator":
    """Return the generator of a sample, on the CPU.

    Args:
        seed: Of the training.
        step: From 0.
        place: In the step's batch.
    """
    import torch

    digest = hashlib.sha256(f"{seed} {step} {place}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def stacked_inputs(samples: Sequence[Inputs], device: "torch.device") -> Inputs:
    """Return the inputs of samples as those of a batch."""
    import torch

    def stacked(of: "Callable[[Inputs], torch.Tensor | None]") -> "torch.Tensor | None":
        found = [each for sample in samples if (each := of(sample)) is not None]
        return torch.stack(found).to(device) if found else None

    condition, text = stacked(lambda each: each.condition), stacked(lambda each: each.text)
    assert condition is not None
    assert text is not None
    return Inputs(condition, text, stacked(lambda each: each.image))


def stacked_levels(levels: Sequence[Level], device: "torch.device") -> Levels:
    """Return the levels of samples as those of a batch."""
    import torch

    level, timesteps, weights = (torch.tensor(column, dtype=torch.float64) for column in zip(*levels, strict=True))
    return Levels(level, timesteps.float().to(device), weights.float().to(device))
