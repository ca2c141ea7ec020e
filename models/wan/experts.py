"""Which of V3.2's two networks denoises a timestep.

Reference: anisoraV3.2/wan/image2video.py (_prepare_model_for_timestep).
"""

from collections.abc import Iterable
from typing import Final

from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS

__all__ = ["BOUNDARY", "expert_letters", "is_high_noise"]

BOUNDARY: Final = 0.9
"""Of V3.2, as a part of the timesteps of training."""


def is_high_noise(timestep: float, boundary: float = BOUNDARY, num_train_timesteps: int = TRAIN_TIMESTEPS) -> bool:
    """Return whether the network for high noise denoises a timestep; at the boundary itself it does.

    Args:
        timestep: 0 to ``num_train_timesteps``.
        boundary: 0 to 1.
        num_train_timesteps: Of the networks' training.
    """
    return timestep >= boundary * num_train_timesteps


def expert_letters(
    timesteps: Iterable[float], boundary: float = BOUNDARY, num_train_timesteps: int = TRAIN_TIMESTEPS
) -> str:
    """Return one letter for each timestep: H for the network for high noise, L for the other.

    Example:
        >>> expert_letters([999, 972, 937, 892, 833, 749, 624, 416])
        'HHHLLLLL'
    """
    return "".join("H" if is_high_noise(each, boundary, num_train_timesteps) else "L" for each in timesteps)
