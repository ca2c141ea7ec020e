"""The noise levels along which GRPO samples, from 1, noise alone, to 0.

Reference: flow_grpo samples along the levels of Stable Diffusion 3's scheduler; DanceGRPO's sd3_time_shift shifts equal
steps.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS, flow_sigmas, shifted

__all__ = ["DANCE_GRPO_SHIFT", "FLOW_GRPO_SHIFT", "dance_grpo_sigmas", "flow_grpo_sigmas"]

FLOW_GRPO_SHIFT: Final = 3.0
"""Of Stable Diffusion 3."""
DANCE_GRPO_SHIFT: Final = 7.0
"""Of DanceGRPO's image-to-video training."""


def flow_grpo_sigmas(steps: int, *, shift: float = FLOW_GRPO_SHIFT) -> NDArray[np.float32]:
    """Return Flow-GRPO's levels: equal steps from 1 to the lowest level of training, shifted, then 0.

    That lowest level is a thousandth, already shifted once.

    Args:
        steps: How many, 1 or more.
        shift: Above 1 moves levels towards noise.

    Returns:
        (steps + 1,), 1 to 0.

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    lowest = shifted(np.array([1 / TRAIN_TIMESTEPS], np.float32), shift)
    return _ended(flow_sigmas(steps, shift=shift, sigma_min=float(lowest[0]), extra_one_step=False))


def dance_grpo_sigmas(steps: int, *, shift: float = DANCE_GRPO_SHIFT) -> NDArray[np.float32]:
    """Return DanceGRPO's levels: equal steps from 1 to 0, shifted.

    Args:
        steps: How many, 1 or more.
        shift: Above 1 moves levels towards noise.

    Returns:
        (steps + 1,), 1 to 0.

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    return _ended(flow_sigmas(steps, shift=shift))


def _ended(sigmas: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.append(sigmas, np.float32(0))
