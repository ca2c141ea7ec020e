"""A constant-velocity Kalman filter of one box, as SAMURAI follows an object with.

The state has eight numbers: centre x, centre y, aspect ratio (width / height) and height of the box, then how much each
changes per frame. Only the first four are measured. All uncertainties grow with the height of the box, except those of
the aspect ratio, which are constants.

Reference: reward/character/samurai/sam2/sam2/utils/kalman_filter.py.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anisora.harness.errors import MetricError

__all__ = ["BoxState", "KalmanBoxFilter", "box_from_measurement", "box_iou", "measurement_from_box"]

FloatArray = NDArray[np.float64]

_MEASURED: Final = 4
_STATE: Final = 8
_ASPECT: Final = 2
_INITIATE_POSITION: Final = 2.0
_INITIATE_VELOCITY: Final = 10.0
_ASPECT_DEVIATION: Final = 1e-2
_ASPECT_VELOCITY_DEVIATION: Final = 1e-5
_MEASURED_ASPECT_DEVIATION: Final = 1e-1


@dataclass(frozen=True, slots=True)
class BoxState:
    """What is believed about a box after a frame."""

    mean: FloatArray
    """(8,): centre x, centre y, width / height, height, and their changes per frame; pixels."""
    covariance: FloatArray
    """(8, 8), symmetric."""


def measurement_from_box(box: ArrayLike) -> FloatArray:
    """Turn corners into what the filter measures.

    A box without height counts as one pixel high, so that an empty box can be measured too.

    Args:
        box: (4,) left, top, right, bottom; pixels.

    Returns:
        (4,) centre x, centre y, width / height, height; pixels.

    Raises:
        MetricError: It is not four finite numbers.
    """
    left, top, right, bottom = _four(box, "box")
    height = bottom - top
    if height == 0:
        height = 1.0
    return np.array([(left + right) / 2, (top + bottom) / 2, (right - left) / height, height])


def box_from_measurement(measurement: ArrayLike) -> FloatArray:
    """Turn centre x, centre y, width / height and height into (4,) left, top, right, bottom; pixels.

    A predicted height may be negative; then left is right of right.

    Raises:
        MetricError: It is not four finite numbers.
    """
    x, y, aspect, height = _four(measurement, "measurement")
    width = aspect * height
    return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


def box_iou(first: ArrayLike, second: ArrayLike) -> float:
    """Return the intersection over union of two boxes of left, top, right, bottom, 0..1.

    Edges are coordinates, so that a box is right - left wide. It is 0 where one of them has all four numbers 0, which
    stands for nothing seen, and where the union has no area.

    Raises:
        MetricError: One of them is not four finite numbers.
    """
    one, other = _four(first, "box"), _four(second, "box")
    if not one.any() or not other.any():
        return 0.0
    sides = np.maximum(0.0, np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]))
    intersection = float(sides.prod())
    union = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - intersection
    return intersection / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KalmanBoxFilter:
    """Starts, predicts and corrects the state of a box; it holds no state of its own.

    Example:
        >>> box_filter = KalmanBoxFilter()
        >>> state = box_filter.initiate(measurement_from_box([10, 20, 30, 60]))
        >>> state = box_filter.update(box_filter.predict(state), measurement_from_box([12, 20, 32, 60]))
        >>> bool(state.mean[0] > 20 and state.mean[4] > 0)
        True
    """

    std_weight_position: float = 1 / 20
    """Standard deviation of positions and height, as a part of the height."""
    std_weight_velocity: float = 1 / 160
    """Standard deviation of their changes per frame, as a part of the height."""

    def initiate(self, measurement: ArrayLike) -> BoxState:
        """Start at a measurement, at rest, with wide uncertainty.

        Args:
            measurement: (4,) centre x, centre y, width / height, height; pixels.

        Raises:
            MetricError: It is not four finite numbers.
        """
        measured = _four(measurement, "measurement")
        variances = self._variances(measured[3], position=_INITIATE_POSITION, velocity=_INITIATE_VELOCITY)
        return BoxState(np.concatenate([measured, np.zeros(_MEASURED)]), np.diag(variances))

    def predict(self, state: BoxState) -> BoxState:
        """Move a state one frame on; the noise is that of the height before the move.

        Raises:
            MetricError: The mean is not (8,) or the covariance not (8, 8).
        """
        _check(state)
        motion = np.eye(_STATE) + np.eye(_STATE, k=_MEASURED)
        noise = np.diag(self._variances(state.mean[3]))
        return BoxState(motion @ state.mean, motion @ state.covariance @ motion.T + noise)

    def update(self, state: BoxState, measurement: ArrayLike) -> BoxState:
        """Correct a predicted state by what was measured; the noise is that of the predicted height.

        Args:
            state: From ``predict``.
            measurement: (4,) centre x, centre y, width / height, height; pixels.

        Raises:
            MetricError: The measurement is not four finite numbers, or the state has wrong shapes.
        """
        _check(state)
        measured = _four(measurement, "measurement")
        deviations = np.full(_MEASURED, self.std_weight_position * state.mean[3])
        deviations[_ASPECT] = _MEASURED_ASPECT_DEVIATION
        projected = state.covariance[:_MEASURED, :_MEASURED] + np.diag(np.square(deviations))
        # Both matrices are symmetric: the gain is the solution's transpose, and nothing is inverted.
        gain = np.linalg.solve(projected, state.covariance[:_MEASURED]).T
        mean = state.mean + gain @ (measured - state.mean[:_MEASURED])
        return BoxState(mean, state.covariance - gain @ projected @ gain.T)

    def _variances(self, height: float, *, position: float = 1.0, velocity: float = 1.0) -> FloatArray:
        """Return the (8,) variances of a box of this height."""
        deviations = np.repeat(
            [position * self.std_weight_position * height, velocity * self.std_weight_velocity * height], _MEASURED
        )
        deviations[_ASPECT] = _ASPECT_DEVIATION
        deviations[_MEASURED + _ASPECT] = _ASPECT_VELOCITY_DEVIATION
        variances: FloatArray = np.square(deviations)
        return variances


def _four(values: ArrayLike, what: str) -> FloatArray:
    array = np.asarray(values, np.float64)
    if array.shape != (_MEASURED,) or not np.isfinite(array).all():
        raise MetricError(f"`{what}` is {array.tolist()}; expected four finite numbers. Check what is passed.")
    return array


def _check(state: BoxState) -> None:
    shapes = state.mean.shape, state.covariance.shape
    if shapes != ((_STATE,), (_STATE, _STATE)):
        raise MetricError(f"`state` has shapes {shapes}; expected (8,) and (8, 8). Start it with `initiate`.")
