"""Golden cases of kind ``rl_dance_grpo``: DanceGRPO's levels, steps with noise, advantages and loss."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.training.grpo.advantages import (
    DANCE_GRPO,
    DANCE_GRPO_GLOBAL,
    advantages,
    clamped,
    consecutive_groups,
)
from anisora.training.grpo.noise_levels import dance_grpo_sigmas
from anisora.training.grpo.policy import policy_loss
from anisora.training.grpo.sde_step import clean_of_flow, dance_grpo_step

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Take every step again, then the advantages and the loss of a batch, and compare them.

    Args:
        path: Folder with inputs sigmas, sample_<index>, model_output_<index>, noise_<index>, given_prev_<index>,
            ppo_advantages, ppo_old_log_probs, ppo_new_log_probs, expected tensors mean_<index>, prev_sample_<index>,
            pred_x0_<index>, log_prob_<index>, log_prob_of_given_prev_<index>, and expected.json: {advantages: {group,
            global}, ppo_loss}.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its schedule is none.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    config, tolerance = case["config"], case["tolerance"]
    inputs = load_state_dict(path / "inputs.safetensors")
    ours: dict[str, Any] = {}
    sigmas = dance_grpo_sigmas(config["steps"], shift=config["shift"])
    yield from compare_expected({"sigmas": sigmas}, {"sigmas": inputs["sigmas"]}, tolerance)
    for row in config["rows"]:
        index, place = row["index"], row["step"]
        state, velocity = inputs[f"sample_{index}"], inputs[f"model_output_{index}"]
        sigma, following = (torch.full((len(state),), float(sigmas[each])) for each in (place, place + 1))
        step = dance_grpo_step(state, velocity, sigma, following, eta=config["eta"], follows_score=row["sde"])
        deviation = {"std": float(step.deviation[0])}
        yield from compare_expected(deviation, {"std": row["std"]}, tolerance, label=f"row {index} ")
        drawn = step.drawn(inputs[f"noise_{index}"])
        ours |= {
            f"mean_{index}": step.mean,
            f"prev_sample_{index}": drawn,
            f"pred_x0_{index}": clean_of_flow(state, velocity, sigma),
            f"log_prob_{index}": step.log_prob(drawn),
            f"log_prob_of_given_prev_{index}": step.log_prob(inputs[f"given_prev_{index}"]),
        }
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), tolerance)
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    rewards = torch.tensor(config["rewards"], dtype=torch.float64)
    groups = consecutive_groups(len(rewards), config["group_size"])
    rules = {"group": DANCE_GRPO, "global": DANCE_GRPO_GLOBAL}
    found = {scope: advantages(rewards, groups, rule) for scope, rule in rules.items()}
    tight = tolerance["advantage_atol"]
    yield from compare_expected(found, expected["advantages"], tight, label="advantages ")
    batch = policy_loss(
        clamped(inputs["ppo_advantages"], config["adv_clip_max"]),
        inputs["ppo_new_log_probs"],
        inputs["ppo_old_log_probs"],
        clip_range=config["clip_range"],
        parts=config["gradient_accumulation_steps"] * config["train_timesteps"],
    )
    wanted = {"ppo_loss": expected["ppo_loss"]}
    yield from compare_expected({"ppo_loss": float(batch.loss)}, wanted, tolerance["loss_atol"])
