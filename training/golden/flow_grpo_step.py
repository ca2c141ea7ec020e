"""Golden cases of kind ``rl_flow_grpo_step``: Flow-GRPO's levels, its steps with noise and their log-probabilities."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS
from anisora.training.grpo.noise_levels import flow_grpo_sigmas
from anisora.training.grpo.sde_step import flow_grpo_step

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Take every step again and compare it.

    Args:
        path: Folder with inputs sample_<index>, model_output_<index>, noise_<index>, given_prev_<index>, and expected
            tensors mean_<index>, std_<index>, prev_sample_<index>, log_prob_<index>, log_prob_of_given_prev_<index>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its schedule is none.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    config, tolerance = case["config"], case["tolerance"]
    sigmas = flow_grpo_sigmas(config["steps"], shift=config["shift"])
    yield from compare_expected({"sigmas": sigmas}, {"sigmas": config["sigmas"]}, tolerance)
    inputs = load_state_dict(path / "inputs.safetensors")
    ours: dict[str, Any] = {}
    for row in config["rows"]:
        index, sigma, following = row["index"], float(sigmas[row["step"]]), float(sigmas[row["step"] + 1])
        levels = {"sigma": sigma, "sigma_next": following, "timestep": sigma * TRAIN_TIMESTEPS}
        yield from compare_expected(levels, {name: row[name] for name in levels}, tolerance, label=f"row {index} ")
        state = inputs[f"sample_{index}"]
        step = flow_grpo_step(
            state,
            inputs[f"model_output_{index}"],
            torch.full((len(state),), sigma),
            torch.full((len(state),), following),
            sigma_for_one=float(sigmas[1]),
            noise_level=config["noise_level"],
        )
        drawn = step.drawn(inputs[f"noise_{index}"])
        ours |= {
            f"mean_{index}": step.mean,
            f"std_{index}": step.diffusion,
            f"prev_sample_{index}": drawn,
            f"log_prob_{index}": step.log_prob(drawn),
            f"log_prob_of_given_prev_{index}": step.log_prob(inputs[f"given_prev_{index}"]),
        }
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), tolerance)
