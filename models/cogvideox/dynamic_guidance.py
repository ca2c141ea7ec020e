"""How strongly V1 follows its prompt at each step.

Reference: anisora_rl/sat/sgm/modules/diffusionmodules/guiders.py (DynamicCFG).
"""

import math
from typing import Final

__all__ = ["EXPONENT", "SCALE", "dynamic_guidance"]

SCALE: Final = 6.0
EXPONENT: Final = 5.0


def dynamic_guidance(timestep: int, steps: int, *, scale: float = SCALE, exponent: float = EXPONENT) -> float:
    """Return the scale of classifier-free guidance at a timestep.

    ``1 + scale * (1 - cos(pi * ((n - t) / n) ** exponent)) / 2`` for n steps. The reference puts the timestep, up to
    999, where the formula means the index of the step, so that the scale jumps between 1 and 7 from step to step; the
    released model was shown so, and it is kept.

    Args:
        timestep: What the network is told, 999 to 0.
        steps: How many steps are taken.
        scale: What 1 grows by at most.
        exponent: A whole number; others have no real power of the negative base.

    Example:
        >>> [round(dynamic_guidance(timestep, 50), 3) for timestep in (999, 979, 959)]
        [2.291, 2.544, 6.974]
    """
    return 1 + scale * (1 - math.cos(math.pi * ((steps - timestep) / steps) ** exponent)) / 2
