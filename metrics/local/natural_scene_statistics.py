"""Statistics of brightness that undistorted pictures share: the ground of BRISQUE and NIQE."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["asymmetric_gaussian", "halved", "neighbour_products", "normalised_contrast", "symmetric_gaussian"]

_RADIUS: Final = 3
_SIGMA: Final = 7 / 6
_SHAPES: Final = (0.2, 10.0, 0.001)  # lowest, highest and step of the shape parameters that are tried


def normalised_contrast(plane: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far each pixel is from its surroundings, in units of their spread, and that spread.

    ``(x - mean) / (deviation + 1)`` with a Gaussian window of 7x7 pixels and sigma 7/6; outside the plane is 0.

    Args:
        plane: (H, W), 0..255.

    Returns:
        Contrast and deviation, both (H, W).
    """
    import cv2

    values = np.asarray(plane, np.float64)
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()

    def blurred(array: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            cv2.sepFilter2D(array, cv2.CV_64F, weights, weights, borderType=cv2.BORDER_CONSTANT), np.float64
        )

    mean = blurred(values)
    deviation = np.sqrt(np.abs(blurred(values * values) - mean * mean))
    return np.asarray((values - mean) / (deviation + 1.0), np.float64), np.asarray(deviation, np.float64)


def halved(plane: NDArray[np.floating]) -> NDArray[np.float64]:
    """Shrink a plane to half its sides with the bicubic kernel (a = -0.5) stretched to twice its width.

    Weights that fall outside the plane are given to those inside.

    Args:
        plane: (H, W), both sides at least 2.

    Returns:
        (ceil(H / 2), ceil(W / 2)).
    """
    return _halved_rows(_halved_rows(np.asarray(plane, np.float64)).T).T


def _halved_rows(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.abs(np.arange(-3, 5) - 0.5) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    length = len(plane)
    rows = 2 * np.arange((length + 1) // 2)[:, None] + np.arange(-3, 5)
    inside = (rows >= 0) & (rows < length)
    each = np.where(inside, weights, 0.0)
    each /= each.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("rk,rkc->rc", each, plane[np.clip(rows, 0, length - 1)]))


def neighbour_products(contrast: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return each pixel times its neighbour: to the left, above, above left, above right.

    Args:
        contrast: (H, W); over an edge, the neighbour is at the other side.

    Returns:
        Four of (H, W).
    """
    return [contrast * np.roll(contrast, shift, axis=(0, 1)) for shift in ((0, 1), (1, 0), (1, 1), (1, -1))]


@cache
def _shape_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shapes s and the ratio gamma(2/s)^2 / (gamma(1/s) gamma(3/s)), which rises with them."""
    from scipy.special import gamma

    low, high, step = _SHAPES
    shapes = np.asarray(low + step * np.arange(round((high - low) / step) + 1), np.float64)
    return shapes, np.asarray(gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes)))


def _shape_with(ratio: float) -> float:
    shapes, ratios = _shape_table()
    return float(shapes[np.abs(ratios - ratio).argmin()])


def symmetric_gaussian(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Fit a generalised Gaussian by its moments.

    Args:
        values: Any shape.

    Returns:
        (shape, variance about 0), or None where all values are 0.
    """
    variance, size = float(np.mean(values * values)), float(np.mean(np.abs(values)))
    if variance == 0.0:
        return None
    shapes, ratios = _shape_table()
    return float(shapes[np.abs(1 / ratios - variance / size**2).argmin()]), variance


def asymmetric_gaussian(values: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """Fit a generalised Gaussian with two widths by its moments (Lasmar et al. 2009).

    Args:
        values: Any shape.

    Returns:
        (shape, mean, left deviation, right deviation), the deviations about 0; None where one side has no values.
    """
    from scipy.special import gamma

    left, right = values[values < 0], values[values > 0]
    if not left.size or not right.size:
        return None
    low, high = float(np.sqrt(np.mean(left * left))), float(np.sqrt(np.mean(right * right)))
    skew = low / high
    ratio = float(np.mean(np.abs(values)) ** 2 / np.mean(values * values))
    shape = _shape_with(ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2)
    first, second, third = (float(gamma(order / shape)) for order in (1, 2, 3))
    return shape, (high - low) * second / np.sqrt(first * third), low, high
