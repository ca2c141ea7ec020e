"""Golden cases of kind ``gen_oss_sigmas``: the levels of a distilled student, and where its guided steps end."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.golden.linear_velocity import mixed_channels
from anisora.models.guidance import guided
from anisora.models.wan.flow_schedule import euler_states
from anisora.models.wan.step_lists import student_sigmas

if TYPE_CHECKING:
    import torch

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Take the steps of every list of a case and compare levels and results.

    The network of a case is ``v = matrix @ x * (0.5 + sigma)``, with the bias added where it has a prompt.

    Args:
        path: Folder with inputs x_<name>, matrix_<name>, bias_<name>, expected.json: {name: {teacher_steps, shift,
            steps, sigmas}}, and expected tensors final_<name>.
        case: Its case.json.

    Raises:
        ConfigError: A list is none.
        DataError: The case expects something that is not computed here.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs, scale = load_state_dict(path / "inputs.safetensors"), case["config"]["guidance"]
    results = load_state_dict(path / "expected.safetensors")
    for name, row in json.loads((path / "expected.json").read_text(encoding="utf-8")).items():
        sigmas = student_sigmas(row["steps"], row["teacher_steps"], row["shift"])
        matrix, bias = inputs[f"matrix_{name}"], inputs[f"bias_{name}"]

        def velocity(
            state: "torch.Tensor", sigma: float, matrix: "torch.Tensor" = matrix, bias: "torch.Tensor" = bias
        ) -> "torch.Tensor":
            unconditional = mixed_channels(matrix, state) * (0.5 + sigma)
            velocity: torch.Tensor = guided(unconditional, unconditional + bias, scale)
            return velocity

        *_, final = euler_states(velocity, inputs[f"x_{name}"], sigmas.tolist())
        wanted = {"sigmas": row["sigmas"], "final": results[f"final_{name}"]}
        yield from compare_expected({"sigmas": sigmas, "final": final}, wanted, case["tolerance"], label=f"{name} ")
