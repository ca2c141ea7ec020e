"""The velocities that golden cases of schedules give in place of a network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["mixed_channels"]


def mixed_channels(matrix: "torch.Tensor", state: "torch.Tensor") -> "torch.Tensor":
    """Return ``matrix @ state`` over the channels.

    Args:
        matrix: (C, C).
        state: (B, C, F, h, w).
    """
    import torch

    return torch.einsum("ij,bjfhw->bifhw", matrix, state)
