"""Golden cases of kind ``rl_gapo``: AniSora's preference loss, for each pair alone and for a batch of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.training.losses.preference import (
    Pair,
    PreferenceLosses,
    dpo_losses,
    gap_factors,
    gapo_losses,
    pair_errors,
    with_shared_noise,
)
from anisora.training.losses.velocity import V_PREDICTION, levels_of_timesteps

__all__ = ["handle"]

_EXPECTED: Final = {
    "prediction": "v",
    "layout": "B,T,C,H,W",
    "target": "sqrt_alpha_bar*noise - sqrt(1-alpha_bar)*x0",
}
_ALIKE: Final = (("dpo_loss", "loss"), ("inside_term", "inside"))
"""(quantity, what its tolerance is named by): both losses are of one precision in the reference."""


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the loss of every pair and of the batches again and compare everything that went into it.

    Args:
        path: Folder with inputs x_w_<index>, x_l_<index>, noise_<index>, policy_w_<index>, policy_l_<index>,
            ref_w_<index>, ref_l_<index>, and expected.json: {samples: rows, batch}.
        case: Its case.json.

    Raises:
        DataError: The case has another prediction.
        ConfigError: A constant is out of its range.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config, tolerance = case["config"], dict(case["tolerance"])
    for name, wanted in _EXPECTED.items():
        if config[name] != wanted:
            raise DataError(f"`{path}` has {name} {config[name]!r}; expected {wanted!r}, the reference's.")
    tolerance |= {f"{new}_{kind}": tolerance[f"{old}_{kind}"] for new, old in _ALIKE for kind in ("rtol", "atol")}
    inputs = load_state_dict(path / "inputs.safetensors")
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    rows = {row["index"]: row for row in expected["samples"]}
    for index, row in rows.items():
        label = f"sample {index} "
        policy, reference, scores, level = _errors(inputs, [row])
        found = _gapo(policy, reference, scores, config)
        factor = gap_factors(scores, base=config["gap_base"], scale=config["score_scale"])
        values = {
            "sqrt_alpha_bar": level,
            "gap_factor": factor,
            "loss": found.losses,
            "dpo_loss": dpo_losses(policy, reference, beta=config["beta"]).losses,
            "inside_term": found.inside,
            "implicit_acc": found.implicit_accuracy,
            "model_loss_w": policy.winner,
            "model_loss_l": policy.loser,
            "ref_loss_w": reference.winner,
            "ref_loss_l": reference.loser,
        }
        ours = {name: float(value) for name, value in values.items()}
        yield from compare_expected(ours, {name: float(row[name]) for name in ours}, tolerance, label=label)
        yield compare_exact(f"{label}ordered", bool(factor >= 0), row["ordered"])
    batch = expected["batch"]
    policy, reference, scores, _ = _errors(inputs, [rows[index] for index in batch["samples"]])
    together = _gapo(policy, reference, scores, config)
    ours = {"loss": float(together.loss), "implicit_acc": float(together.implicit_accuracy)}
    singles = {"loss": batch["mean_of_single_losses"], "implicit_acc": batch["implicit_acc_of_singles"]}
    yield from compare_expected(ours, singles, tolerance, label="batch ")


def _gapo(policy: Pair, reference: Pair, scores: Pair, config: Mapping[str, Any]) -> PreferenceLosses:
    return gapo_losses(
        policy,
        reference,
        scores,
        beta=config["beta"],
        base=config["gap_base"],
        scale=config["score_scale"],
        are_scores_checked=False,  # cases have pairs of equal and of swapped scores
    )


def _errors(inputs: Tensors, rows: Sequence[Mapping[str, Any]]) -> tuple[Pair, Pair, Pair, Any]:
    """Return the errors of the policy and of the reference, the scores and the levels of pairs as one batch."""
    import torch

    def batch(name: str) -> Any:  # noqa: ANN401 - a tensor
        return torch.cat([inputs[f"{name}_{row['index']}"] for row in rows])

    level = levels_of_timesteps(torch.tensor([row["timestep_index"] for row in rows]))
    _, targets = with_shared_noise(Pair(batch("x_w"), batch("x_l")), batch("noise"), level, V_PREDICTION)
    policy, reference = (
        pair_errors(Pair(batch(f"{network}_w"), batch(f"{network}_l")), targets) for network in ("policy", "ref")
    )
    scores = Pair(*(torch.tensor([float(row[f"{clip}_score"]) for row in rows]) for clip in ("w", "l")))
    return policy, reference, scores, level
