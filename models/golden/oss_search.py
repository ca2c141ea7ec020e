"""Golden cases of kind ``gen_oss_search``: the steps that a search finds, and the median of several searches."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.golden.linear_velocity import mixed_channels
from anisora.models.wan.step_lists import teacher_sigmas
from anisora.models.wan.step_search import median_steps, search_steps

if TYPE_CHECKING:
    import torch

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Search the steps of every item and compare them, their cost, the teacher's levels and the medians.

    The network of a case is ``v = tanh(matrix @ x) * (1 - s) + sin(6 s) * bias + 0.3 * x * s``.

    Args:
        path: Folder with inputs x_<index>, matrix_<index>, bias_<index>, time_<index>, and expected.json:
            {searches: rows, median: {runs, result}}.
        case: Its case.json.

    Raises:
        ConfigError: An item asks for more than its teacher or noise has.
        DataError: The case expects something that is not computed here.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs = load_state_dict(path / "inputs.safetensors")
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    for row in expected["searches"]:
        index = row["index"]
        label = f"search {index} "
        levels = teacher_sigmas(row["teacher_steps"], row["shift"])
        yield from compare_expected({"time": levels}, {"time": inputs[f"time_{index}"]}, case["tolerance"], label=label)
        matrix, bias = inputs[f"matrix_{index}"], inputs[f"bias_{index}"]

        def velocity(
            state: "torch.Tensor", sigma: float, matrix: "torch.Tensor" = matrix, bias: "torch.Tensor" = bias
        ) -> "torch.Tensor":
            bent = mixed_channels(matrix, state).tanh() * (1 - sigma)
            return bent + math.sin(6 * sigma) * bias + 0.3 * state * sigma

        found = search_steps(
            velocity,
            inputs[f"x_{index}"],
            inputs[f"time_{index}"].tolist(),
            row["student_steps"],
            frames=_count(row["frame_type"]),
            channels=_count(row["channel_type"]),
            norm=row["norm"],
        )
        yield compare_exact(f"{label}steps", list(found.steps), row["steps"])
        wanted = {"final_cost": row["final_cost"]}
        yield from compare_expected({"final_cost": found.cost}, wanted, case["tolerance"], label=label)
    if "median" in expected:
        median = expected["median"]
        yield compare_exact("median", list(median_steps(median["runs"])), median["result"])


def _count(text: str) -> int | None:
    return None if text == "all" else int(text)
