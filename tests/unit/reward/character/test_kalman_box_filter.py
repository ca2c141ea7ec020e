"""The filter against the textbook's matrices, and what holds for any box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import MetricError
from anisora.reward.character.kalman_box_filter import (
    BoxState,
    KalmanBoxFilter,
    box_from_measurement,
    box_iou,
    measurement_from_box,
)

coordinates = st.floats(-500, 500)
sides = st.floats(1, 300)
boxes = st.builds(lambda x, y, w, h: [x, y, x + w, y + h], coordinates, coordinates, sides, sides)


def textbook(sequence: list[list[float]], position: float, velocity: float) -> tuple[np.ndarray, np.ndarray]:
    """x = F x, P = F P F' + Q; K = P H' inv(H P H' + R), x = x + K (z - H x), P = (I - K H) P."""

    def measured(box: list[float]) -> np.ndarray:
        left, top, right, bottom = box
        return np.array([(left + right) / 2, (top + bottom) / 2, (right - left) / (bottom - top), bottom - top])

    motion, seen = np.eye(8), np.eye(4, 8)
    for index in range(4):
        motion[index, index + 4] = 1
    x = np.concatenate([measured(sequence[0]), np.zeros(4)])
    p, v = x[3] * position, x[3] * velocity
    covariance = np.diag([2 * p, 2 * p, 1e-2, 2 * p, 10 * v, 10 * v, 1e-5, 10 * v]) ** 2
    for box in sequence[1:]:
        p, v = x[3] * position, x[3] * velocity
        x = motion @ x
        covariance = motion @ covariance @ motion.T + np.diag([p, p, 1e-2, p, v, v, 1e-5, v]) ** 2
        p = x[3] * position
        noise = np.diag([p, p, 1e-1, p]) ** 2
        gain = covariance @ seen.T @ np.linalg.inv(seen @ covariance @ seen.T + noise)
        x = x + gain @ (measured(box) - seen @ x)
        covariance = (np.eye(8) - gain @ seen) @ covariance
    return x, covariance


@given(sequence=st.lists(boxes, min_size=1, max_size=6), position=st.floats(0.01, 0.2), velocity=st.floats(0.001, 0.02))
def test_it_is_the_textbooks_filter(sequence: list[list[float]], position: float, velocity: float) -> None:
    box_filter = KalmanBoxFilter(std_weight_position=position, std_weight_velocity=velocity)
    state = box_filter.initiate(measurement_from_box(sequence[0]))
    for box in sequence[1:]:
        state = box_filter.update(box_filter.predict(state), measurement_from_box(box))
    mean, covariance = textbook(sequence, position, velocity)
    np.testing.assert_allclose(state.mean, mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(state.covariance, covariance, rtol=1e-6, atol=1e-6 * np.abs(covariance).max())


@given(sequence=st.lists(boxes, min_size=2, max_size=5))
def test_a_prediction_widens_and_a_measurement_narrows_what_is_unsure(sequence: list[list[float]]) -> None:
    box_filter = KalmanBoxFilter()
    state = box_filter.initiate(measurement_from_box(sequence[0]))
    for box in sequence[1:]:
        predicted = box_filter.predict(state)
        assert np.all(predicted.covariance.diagonal() >= state.covariance.diagonal())
        state = box_filter.update(predicted, measurement_from_box(box))
        assert np.all(state.covariance.diagonal() <= predicted.covariance.diagonal() * (1 + 1e-9))
        np.testing.assert_allclose(state.covariance, state.covariance.T, atol=1e-9 * np.abs(state.covariance).max())


def test_a_box_that_stays_is_believed_to_stay() -> None:
    box_filter, box = KalmanBoxFilter(), [10.0, 20.0, 30.0, 60.0]
    state = box_filter.initiate(measurement_from_box(box))
    for _ in range(20):
        state = box_filter.update(box_filter.predict(state), measurement_from_box(box))
    np.testing.assert_allclose(box_from_measurement(state.mean[:4]), box, atol=1e-9)
    np.testing.assert_allclose(state.mean[4:], 0, atol=1e-9)


def test_a_steady_pace_is_found() -> None:
    box_filter, box = KalmanBoxFilter(), np.array([10.0, 20.0, 30.0, 60.0])
    state = box_filter.initiate(measurement_from_box(box))
    for step in range(1, 120):
        moved = box + step * np.array([3.0, 1.0, 3.0, 1.0])
        state = box_filter.update(box_filter.predict(state), measurement_from_box(moved))
    np.testing.assert_allclose(state.mean[4:6], [3, 1], atol=1e-3)


@given(box=boxes)
def test_corners_and_measurements_are_each_others_inverse(box: list[float]) -> None:
    np.testing.assert_allclose(box_from_measurement(measurement_from_box(box)), box, atol=1e-9)


def test_a_box_without_height_is_measured_one_pixel_high() -> None:
    assert measurement_from_box([0, 0, 0, 0]).tolist() == [0, 0, 0, 1]
    assert measurement_from_box([30, 40, 90, 40]).tolist() == [60, 40, 60, 1]


@given(first=boxes, second=boxes)
def test_the_overlap_is_symmetric_and_within_0_and_1(first: list[float], second: list[float]) -> None:
    assert 0 <= box_iou(first, second) <= 1 + 1e-12
    assert box_iou(first, second) == pytest.approx(box_iou(second, first))
    assert box_iou(first, first) == pytest.approx(1)


def test_the_overlap_of_known_boxes() -> None:
    assert box_iou([0, 0, 4, 4], [2, 2, 6, 6]) == pytest.approx(4 / 28)
    assert box_iou([1, 1, 2, 2], [2, 1, 3, 2]) == 0
    assert box_iou([0, 0, 0, 0], [0, 0, 5, 5]) == 0
    assert box_iou([-1, -1, 1, 1], [0, 0, 0, 0]) == 0
    assert box_iou([3, 3, 3, 3], [3, 3, 3, 3]) == 0
    # Predicted with a negative height: left is right of right.
    assert box_iou([5, 5, 1, 1], [0, 0, 9, 9]) == 0


@pytest.mark.parametrize("wrong", [[1, 2, 3], [[1, 2, 3, 4]], [1, 2, 3, float("nan")]])
def test_what_is_not_four_finite_numbers_is_an_error(wrong: list[float]) -> None:
    box_filter = KalmanBoxFilter()
    state = box_filter.initiate([1, 2, 3, 4])
    for call in (
        lambda: measurement_from_box(wrong),
        lambda: box_from_measurement(wrong),
        lambda: box_iou(wrong, [0, 0, 1, 1]),
        lambda: box_filter.initiate(wrong),
        lambda: box_filter.update(state, wrong),
    ):
        with pytest.raises(MetricError, match="expected four finite numbers"):
            call()


def test_a_state_of_other_shapes_is_an_error() -> None:
    state = BoxState(np.zeros(4), np.eye(8))
    with pytest.raises(MetricError, match=r"shapes \(\(4,\), \(8, 8\)\)"):
        KalmanBoxFilter().predict(state)
    with pytest.raises(MetricError, match="Start it with `initiate`"):
        KalmanBoxFilter().update(state, [0, 0, 1, 1])
