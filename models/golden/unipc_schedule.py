"""Golden cases of kind ``gen_unipc_schedule``: levels, timesteps, experts and the states along a UniPC trajectory."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.golden.linear_velocity import mixed_channels
from anisora.models.wan.experts import expert_letters
from anisora.models.wan.unipc import unipc_sigmas, unipc_states, unipc_timesteps

if TYPE_CHECKING:
    import torch

__all__ = ["handle"]

_EXPERTS: Final = "experts_boundary_"
_UNIT: Final = 1000
"""The velocity of a case is ``matrix @ x * t / 1000``."""


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Take the steps of every combination of a case and compare what it expects.

    Args:
        path: Folder with inputs x_<key> and matrix_<key>, expected.json: {key: {steps, shift, timesteps, sigmas,
            experts_boundary_<boundary>}}, and expected tensors trajectory_<key>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: It has no steps, or a shift that is not positive.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    inputs, tolerance = load_state_dict(path / "inputs.safetensors"), case["tolerance"]
    total = case["config"]["num_train_timesteps"]
    states = load_state_dict(path / "expected.safetensors")
    rows = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    keys = [f"{each['steps']}_{each['shift']:g}" for each in case["config"]["combinations"]]
    yield compare_exact("combinations", sorted(rows), sorted(keys))
    for key, row in rows.items():
        sigmas = unipc_sigmas(row["steps"], row["shift"], total)
        timesteps = unipc_timesteps(row["steps"], row["shift"], total)
        ours: dict[str, Any] = {
            name: expert_letters(timesteps, float(name.removeprefix(_EXPERTS).replace("_", ".")), total)
            for name in row
            if name.startswith(_EXPERTS)
        }
        ours |= {"timesteps": timesteps, "sigmas": sigmas}
        matrix = inputs[f"matrix_{key}"]

        def velocity(state: "torch.Tensor", timestep: int, matrix: "torch.Tensor" = matrix) -> "torch.Tensor":
            return mixed_channels(matrix, state) * timestep / _UNIT

        steps = unipc_states(velocity, inputs[f"x_{key}"], sigmas.tolist(), timesteps.tolist())
        ours["trajectory"] = torch.stack(list(steps))
        wanted = {name: value for name, value in row.items() if name not in ("steps", "shift")}
        wanted["trajectory"] = states[f"trajectory_{key}"]
        yield from compare_expected(ours, wanted, tolerance, label=f"{key} ")
