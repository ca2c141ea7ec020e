"""Golden cases of kind ``rl_group_advantage_ppo``: Flow-GRPO's advantages, loss and what it logs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.training.grpo.advantages import (
    FLOW_GRPO,
    FLOW_GRPO_GLOBAL_STD,
    advantages,
    clamped,
    group_spread,
)
from anisora.training.grpo.policy import ReferencePenalty, policy_loss

__all__ = ["handle"]

_RULES: Final = {"group_std": FLOW_GRPO, "global_std": FLOW_GRPO_GLOBAL_STD}
_LOGGED: Final = ("approx_kl", "clipfrac", "clipfrac_gt_one", "clipfrac_lt_one")


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the advantages and the loss of every batch again and compare them.

    Args:
        path: Folder with inputs advantages_<index>, old_log_prob_<index>, log_prob_<index>, mean_<index>,
            mean_ref_<index>, std_<index>, and expected.json: {advantages: {rule: list}, zero_std_ratio,
            reward_std_mean, ppo: rows}.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: A constant is out of its range.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    config, tolerance = case["config"], case["tolerance"]
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    rewards, prompts = torch.tensor(config["rewards"], dtype=torch.float64), config["prompts"]
    rules = {name: replace(rule, epsilon=config["epsilon"]) for name, rule in _RULES.items()}
    found = {name: advantages(rewards, prompts, rule) for name, rule in rules.items()}
    yield from compare_expected(found, expected["advantages"], tolerance["advantage_atol"], label="advantages ")
    spread = group_spread(rewards, prompts)
    dropped = [prompt for prompt, kept in zip(prompts, spread.is_spread.tolist(), strict=True) if not kept]
    flat = [] if config["zero_std_group"] is None else [config["zero_std_group"]]
    yield compare_exact("zero_std_group", sorted(set(dropped)), flat)
    shares = {"zero_std_ratio": spread.zero_std_ratio, "reward_std_mean": spread.reward_std_mean}
    yield from compare_expected(shares, {name: expected[name] for name in shares}, tolerance)
    inputs = load_state_dict(path / "inputs.safetensors")
    for row in expected["ppo"]:
        yield from _policy(row, inputs, tolerance["loss_atol"])


def _policy(row: Mapping[str, Any], inputs: Tensors, tolerance: float) -> Iterator[Comparison]:
    index, beta = row["index"], row["beta"]
    values, new, old, mean, reference, diffusion = (
        inputs[f"{name}_{index}"] for name in ("advantages", "log_prob", "old_log_prob", "mean", "mean_ref", "std")
    )
    penalty = ReferencePenalty(mean=mean, reference_mean=reference, diffusion=diffusion, beta=beta) if beta else None
    found = policy_loss(clamped(values, row["adv_clip_max"]), new, old, clip_range=row["clip_range"], penalty=penalty)
    label = f"ppo {index} "
    if row["kl_loss"] is None or found.kl_loss is None:
        yield compare_exact(f"{label}kl_loss", found.kl_loss, row["kl_loss"])
    else:
        yield from compare_expected(
            {"kl_loss": float(found.kl_loss)}, {"kl_loss": row["kl_loss"]}, tolerance, label=label
        )
    ours = {name: float(getattr(found, name)) for name in ("loss", "policy_loss", *_LOGGED)}
    yield from compare_expected(ours, {name: row[name] for name in ours}, tolerance, label=label)
