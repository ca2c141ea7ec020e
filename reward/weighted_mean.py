"""How the dimensions of a reward become its total."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_TOTAL", "weighted_mean"]

NO_TOTAL: Final = "a dimension could not be scored"
"""The note of a total that is not there."""


def weighted_mean(dimensions: Mapping[str, NDArray[np.float64]], weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Return ``sum(w_i * dimension_i) / sum(|w_i|)``.

    Args:
        dimensions: {name: (B,)}; NaN where a video has no value.
        weights: {name: weight}; some other than 0. Those of weight 0 do not enter, whatever they hold.

    Returns:
        (B,); NaN where a dimension that enters has no value.
    """
    entering = {name: weight for name, weight in weights.items() if weight}
    scale = sum(abs(weight) for weight in entering.values())
    total: NDArray[np.float64] = np.sum([weight * dimensions[name] for name, weight in entering.items()], axis=0)
    return total / scale
