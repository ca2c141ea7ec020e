"""Golden cases of kind ``train_v2_loss``: noisy latents, velocity, condition and weighted loss of V2's training."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.training.conditions import first_frame_condition
from anisora.training.losses.flow_matching import FLOW_MATCHING, flow_table, weighted_loss

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute everything of every row again and compare it.

    Args:
        path: Folder with inputs x0_<index>, noise_<index>, prediction_<index>, first_frame_latent_<index>, expected
            tensors noised_<index>, target_<index>, y_<index>, and expected.json: {rows}.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its schedule is none.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config, tolerance = case["config"], case["tolerance"]
    table = flow_table(
        shift=config["shift"],
        sigma_min=config["sigma_min"],
        extra_one_step=config["extra_one_step"],
        count=config["train_timesteps"],
    )
    inputs, tensors = load_state_dict(path / "inputs.safetensors"), {}
    for row in json.loads((path / "expected.json").read_text(encoding="utf-8"))["rows"]:
        index, place, parts = row["index"], row["timestep_id"], row["gradient_accumulation_steps"]
        clean, noise, prediction, first = (
            inputs[f"{name}_{index}"] for name in ("x0", "noise", "prediction", "first_frame_latent")
        )
        places = [place] * len(clean)
        sigma, weights = table.sigmas[places], table.weights[places]
        errors = FLOW_MATCHING.errors(prediction, clean, noise, sigma)
        ours = {
            "timestep": float(table.timesteps[place]),
            "weight": float(table.weights[place]),
            "loss": float(weighted_loss(errors, weights, gradient_accumulation_steps=parts)),
        }
        yield from compare_expected(ours, {name: row[name] for name in ours}, tolerance, label=f"row {index} ")
        tensors[f"noised_{index}"] = FLOW_MATCHING.add_noise(clean, noise, sigma)
        tensors[f"target_{index}"] = FLOW_MATCHING.target(clean, noise, sigma)
        (only,) = first
        tensors[f"y_{index}"] = first_frame_condition(only)
    yield from compare_expected(tensors, load_state_dict(path / "expected.safetensors"), tolerance)
