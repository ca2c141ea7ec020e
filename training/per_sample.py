"""Numbers of each sample of a batch: levels spread over its values, and means over them."""

from typing import TYPE_CHECKING

from anisora.harness.errors import DataError

if TYPE_CHECKING:
    import torch

__all__ = ["at_least_float32", "double_levels", "mean_of_each", "spread"]


def double_levels(level: "float | torch.Tensor") -> "torch.Tensor":
    """Return noise levels in float64 on the CPU: ``1 - level^2`` of a level near 1 has few digits in float32.

    Args:
        level: A number for all samples, or (B,).
    """
    import torch

    return torch.as_tensor(level, dtype=torch.float64, device="cpu")


def spread(level: "float | torch.Tensor", like: "torch.Tensor") -> "torch.Tensor":
    """Return a number of each sample in a shape that multiplies all its values.

    Args:
        level: A number for all samples, or (B,).
        like: (B, ...), whose type and device are taken.

    Returns:
        () or (B, 1, ...).

    Raises:
        DataError: It is neither one number nor one a sample.
    """
    import torch

    values = torch.as_tensor(level)
    if values.ndim and values.shape != like.shape[:1]:
        raise DataError(
            f"`level` has shape {tuple(values.shape)} for a batch of shape {tuple(like.shape)}; expected one number or "
            f"({like.shape[0]},), one a sample. Look the level of each sample up."
        )
    return values.reshape(-1, *[1] * (like.ndim - 1)).to(like) if values.ndim else values.to(like)


def mean_of_each(values: "torch.Tensor") -> "torch.Tensor":
    """Return the mean over all but the first dimension.

    Args:
        values: (B, ...).

    Returns:
        (B,).
    """
    return values.flatten(1).mean(1)


def at_least_float32(values: "torch.Tensor") -> "torch.Tensor":
    """Return half-precision values in float32; float32 and float64 stay."""
    import torch

    return values.to(torch.promote_types(values.dtype, torch.float32))
