"""Golden cases of kind ``c08a_kalman_box_filter``: every step of the filter along sequences of boxes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.reward.character.kalman_box_filter import (
    BoxState,
    KalmanBoxFilter,
    box_from_measurement,
    box_iou,
    measurement_from_box,
)

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Run the filter along every sequence of a case and compare all that it expects.

    Args:
        path: Folder with expected.json: [{boxes_xyxy, steps, final_covariance}].
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        MetricError: A box is not four finite numbers.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config, tolerance = case["config"], case["tolerance"]
    box_filter = KalmanBoxFilter(
        std_weight_position=config["std_weight_position"], std_weight_velocity=config["std_weight_velocity"]
    )
    for number, row in enumerate(json.loads((path / "expected.json").read_text(encoding="utf-8"))):
        steps, state = _run(box_filter, row["boxes_xyxy"], config["update_skipped_at_steps"])
        label = f"sequence {number} "
        operations = [step["op"] for step in row["steps"]]
        alike = compare_exact(f"{label}operations", [step["op"] for step in steps], operations)
        yield alike
        # Steps of other operations have no numbers to compare.
        for place, (ours, step) in enumerate(zip(steps, row["steps"], strict=True) if alike.passed else ()):
            yield from compare_expected(ours, step, tolerance, label=f"{label}step {place} ")
        wanted = {name: value for name, value in row.items() if name not in ("boxes_xyxy", "steps")}
        yield from compare_expected({"final_covariance": state.covariance}, wanted, tolerance, label=label)


def _run(
    box_filter: KalmanBoxFilter, boxes: Sequence[Sequence[float]], skipped: Sequence[int]
) -> tuple[list[dict[str, Any]], BoxState]:
    """Return what every step gives, and the last state."""
    measurement = measurement_from_box(boxes[0])
    state = box_filter.initiate(measurement)
    steps = [_step("initiate", state, measurement=measurement)]
    for index, box in enumerate(boxes[1:], start=1):
        state = box_filter.predict(state)
        predicted = box_from_measurement(state.mean[:4])
        steps.append(_step("predict", state, predicted_box=predicted, iou_with_box=box_iou(predicted, box)))
        if index not in skipped:
            measurement = measurement_from_box(box)
            state = box_filter.update(state, measurement)
            steps.append(_step("update", state, measurement=measurement))
    return steps, state


def _step(operation: str, state: BoxState, **more: object) -> dict[str, Any]:
    covariance = state.covariance
    return {"op": operation, "mean": state.mean, "cov_diag": covariance.diagonal(), "cov_0_4": covariance[0, 4], **more}
