"""The loss of AniSora V1: mean squared error of v-prediction (Salimans and Ho 2022, arXiv 2202.00512).

Latents at level a, the root of alpha-bar, are ``a * clean + sqrt(1 - a^2) * noise`` and the network predicts
``v = a * noise - sqrt(1 - a^2) * clean``. The reference writes the loss on the clean latents that a prediction implies,
weighted by ``1 / (1 - a^2)``. Both are the same number; near a = 1 the second divides a small difference by a small
weight and loses digits.

Reference: anisoraV1_train_gpu/sat/sgm/modules/diffusionmodules/loss.py (VideoDiffusionLoss).
"""

from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.dpm_solver import clean_of_velocity
from anisora.models.cogvideox.noise_table import V1, NoiseTable
from anisora.training.losses.objective import Objective, squared_errors
from anisora.training.per_sample import double_levels, spread

if TYPE_CHECKING:
    import torch

__all__ = ["V_PREDICTION", "add_noise", "clean_errors", "levels_of_timesteps", "velocity_target"]


def levels_of_timesteps(timesteps: "torch.Tensor", table: NoiseTable = V1) -> "torch.Tensor":
    """Return the signal's share at timesteps of training; the network is told the timestep itself.

    Args:
        timesteps: (B,) whole numbers from 0, the cleanest, to 999, noise alone.
        table: Of the levels.

    Returns:
        (B,) float64, 1 to 0.

    Raises:
        ConfigError: A timestep is not of the table.
    """
    import torch

    highest = table.num_train_timesteps - 1
    outside = [each for each in timesteps.tolist() if not (isinstance(each, int) and 0 <= each <= highest)]
    if outside:
        raise ConfigError(f"`timesteps` has {outside[0]!r}; expected whole numbers from 0 to {highest}. Draw them so.")
    return torch.from_numpy(table.denoiser_levels())[timesteps.cpu()]


def _noise_share(level: "float | torch.Tensor") -> "torch.Tensor":
    return (1 - double_levels(level) ** 2).sqrt()


def add_noise(clean: "torch.Tensor", noise: "torch.Tensor", level: "float | torch.Tensor") -> "torch.Tensor":
    """Return ``a * clean + sqrt(1 - a^2) * noise``.

    Args:
        clean: (B, T, C, h, w), scaled latents, or of any other shape.
        noise: Standard normal, of the same shape.
        level: The signal's share a, 0 to 1: one number or (B,).

    Raises:
        DataError: There is not one level a sample.
    """
    return spread(level, clean) * clean + spread(_noise_share(level), clean) * noise


def velocity_target(clean: "torch.Tensor", noise: "torch.Tensor", level: "float | torch.Tensor") -> "torch.Tensor":
    """Return ``a * noise - sqrt(1 - a^2) * clean``.

    Args:
        clean: (B, ...).
        noise: (B, ...).
        level: The signal's share a, 0 to 1: one number or (B,).

    Raises:
        DataError: There is not one level a sample.
    """
    return spread(level, clean) * noise - spread(_noise_share(level), clean) * clean


def clean_errors(
    prediction: "torch.Tensor", noised: "torch.Tensor", clean: "torch.Tensor", level: "torch.Tensor"
) -> "torch.Tensor":
    """Return each sample's loss as the reference writes it: on clean latents, divided by ``1 - a^2``.

    Equal to ``V_PREDICTION.errors`` up to rounding; to train with, take that.

    Args:
        prediction: (B, ...), the network's velocity.
        noised: (B, ...), as ``add_noise`` returns it.
        clean: (B, ...).
        level: (B,), the signal's share, 0 to below 1.

    Returns:
        (B,).

    Raises:
        ConfigError: A level is 1 or is none.
        DataError: The shapes differ.
    """
    import torch

    levels = double_levels(level)
    if not bool(((levels >= 0) & (levels < 1)).all()):
        raise ConfigError(
            f"`level` has {levels.tolist()}; expected numbers from 0 to below 1, where there is noise to remove. "
            "Take them from levels_of_timesteps()."
        )
    samples = zip(noised, prediction, levels.tolist(), strict=True)
    implied = torch.stack([clean_of_velocity(state, velocity, each) for state, velocity, each in samples])
    errors = squared_errors(implied, clean)
    return errors / (1 - levels**2).to(errors)


V_PREDICTION: Final = Objective(add_noise=add_noise, target=velocity_target)
"""Of CogVideoX and AniSora V1."""
