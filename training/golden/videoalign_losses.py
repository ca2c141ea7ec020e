"""Golden cases of kind ``rl_videoalign_losses``: losses of a reward model on judged pairs, and its accuracy."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.training.losses.reward_model import JudgedPairs, losses_by_name, pair_accuracies

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute every loss and accuracy again and compare it.

    Args:
        path: Folder with inputs rewards_A, rewards_B, scores_A, scores_B and chosen_label, each (B, dimensions), and
            expected.json: {losses: {name: value}, accuracy: {dimension: {with_ties, without_ties}}}.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its k is not above 1.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config, tolerance = case["config"], case["tolerance"]
    inputs = load_state_dict(path / "inputs.safetensors")
    pairs = JudgedPairs(
        first_rewards=inputs["rewards_A"],
        second_rewards=inputs["rewards_B"],
        labels=inputs["chosen_label"],
        first_scores=inputs["scores_A"],
        second_scores=inputs["scores_B"],
    )
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    losses = losses_by_name(k=config["k"], margin=config["constant_margin"])
    ours = {name: float(loss(pairs)) for name, loss in losses.items()}
    yield from compare_expected(ours, expected["losses"], tolerance, label="loss ")
    found = pair_accuracies(pairs)
    yield compare_exact("dims", len(found), config["dims"])
    for dimension, row in expected["accuracy"].items():
        accuracy = found[int(dimension)]
        shares = {"with_ties": accuracy.with_ties, "without_ties": accuracy.without_ties}
        yield from compare_expected(shares, row, tolerance, label=f"accuracy {dimension} ")
