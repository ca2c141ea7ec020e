"""How the dimensions of a reward become its total."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_TOTAL", "weighted_mean", "weighted_range"]

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


def weighted_range(
    ranges: Mapping[str, tuple[float, float] | None], weights: Mapping[str, float]
) -> tuple[float, float] | None:
    """Return the lowest and the highest ``weighted_mean`` that can be.

    Args:
        ranges: {name: lowest and highest value}; None where it is not known.
        weights: As there.

    Returns:
        None where a range that enters is not known.

    Example:
        >>> weighted_range({"a": (0.0, 1.0), "b": (0.0, 10.0)}, {"a": 1.0, "b": -1.0})
        (-5.0, 0.5)
    """
    low = high = scale = 0.0
    for name, weight in weights.items():
        if not weight:
            continue
        entering = ranges.get(name)
        if entering is None:
            return None
        ends = sorted(weight * end for end in entering)
        low, high, scale = low + ends[0], high + ends[1], scale + abs(weight)
    return low / scale, high / scale
