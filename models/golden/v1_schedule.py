"""Golden cases of kind ``gen_v1_schedule``: timesteps, noise levels and guidance of V1's sampler."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.cogvideox.dynamic_guidance import dynamic_guidance
from anisora.models.cogvideox.noise_table import NoiseTable

__all__ = ["handle"]

_SOLVER: Final = re.compile(r"sqrt_alpha_bar_([0-9]+)")
_DENOISER: Final = re.compile(r"denoiser_table_([0-9]+)_ascending_index")


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the schedule of every number of steps again and compare it.

    Args:
        path: Folder with expected.json: {steps: {timesteps, guidance}}, and expected tensors sqrt_alpha_bar_<steps> and
            denoiser_table_<timesteps>_ascending_index.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, or other betas.
        ConfigError: There is no such number of steps.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config, tolerance = case["config"], case["tolerance"]
    if config["beta_schedule"] != "scaled_linear":
        raise DataError(f"`{path}` has betas {config['beta_schedule']!r}; expected scaled_linear, the reference's.")
    table = NoiseTable(beta_start=config["beta_start"], beta_end=config["beta_end"], shift_scale=config["shift_scale"])
    rows = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    yield compare_exact("steps", sorted(map(int, rows)), sorted(config["steps"]))
    for steps, row in rows.items():
        timesteps = table.timesteps(int(steps))
        strengths = [
            dynamic_guidance(timestep, int(steps), scale=config["guidance_scale"], exponent=config["guidance_exp"])
            for timestep in timesteps.tolist()
        ]
        ours = {"timesteps": timesteps, "guidance": strengths}
        yield from compare_expected(ours, row, tolerance, label=f"{steps} ")
    for name, reference in load_state_dict(path / "expected.safetensors", framework="numpy").items():
        if found := _SOLVER.fullmatch(name):
            quantity, levels = "sqrt_alpha_bar", table.solver_levels(int(found[1]))
        elif (found := _DENOISER.fullmatch(name)) and int(found[1]) == table.num_train_timesteps:
            quantity, levels = name, table.denoiser_levels()
        else:
            raise DataError(f"The case expects {name}, which is not computed here; it has levels of its timesteps.")
        yield from compare_expected({quantity: levels}, {quantity: reference}, tolerance, label=f"{found[1]} ")
