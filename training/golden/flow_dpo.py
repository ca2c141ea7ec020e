"""Golden cases of kind ``rl_flow_dpo``: direct preference optimisation on straight velocities."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.training.losses.flow_matching import FLOW_MATCHING
from anisora.training.losses.preference import dpo_losses, halves, pair_errors

__all__ = ["handle"]

_TARGET: Final = "noise - x0"


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the loss of every batch again and compare it.

    Args:
        path: Folder with inputs x0_<name>, noise_<name>, prediction_<name> and ref_prediction_<name>, winners first,
            and expected.json: {name: {beta, ...}}.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, or has another target.
        ConfigError: A beta is not positive.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    if case["config"]["target"] != _TARGET:
        raise DataError(f"`{path}` has target {case['config']['target']!r}; expected {_TARGET!r}, the reference's.")
    inputs = load_state_dict(path / "inputs.safetensors")
    for name, row in json.loads((path / "expected.json").read_text(encoding="utf-8")).items():
        # The noise of the losers is given beside that of the winners; the level is not, and does not matter.
        targets = halves(FLOW_MATCHING.target(inputs[f"x0_{name}"], inputs[f"noise_{name}"], 1.0))
        policy, reference = (
            pair_errors(halves(inputs[f"{network}_{name}"]), targets) for network in ("prediction", "ref_prediction")
        )
        found = dpo_losses(policy, reference, beta=row["beta"])
        ours = {
            "inside_term": found.inside.tolist(),
            "loss": float(found.loss),
            "implicit_acc": float(found.implicit_accuracy),
        }
        expected = {quantity: value for quantity, value in row.items() if quantity != "beta"}
        yield from compare_expected(ours, expected, case["tolerance"], label=f"{name} ")
