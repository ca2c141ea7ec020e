"""Golden cases of kind ``train_v1_loss``: noisy latents and the loss of v-prediction, in both of its forms."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.cogvideox.noise_table import NoiseTable
from anisora.training.losses.velocity import V_PREDICTION, clean_errors, levels_of_timesteps

__all__ = ["handle"]

_CLEANEST: Final = 10
"""Below this timestep the reference's form has lost digits, and the case allows 1e-2."""
_LOST_DIGITS: Final = 1e-2


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the noisy latents and the loss of every row again and compare them.

    Args:
        path: Folder with inputs x0_<index>, noise_<index>, prediction_<index> and the reference's noised_<index>, and
            expected.json: {rows}.
        case: Its case.json.

    Raises:
        DataError: The case has another prediction.
        ConfigError: A timestep is not of the table.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    config, tolerance = case["config"], case["tolerance"]
    if config["prediction"] != "v":
        raise DataError(f"`{path}` has prediction {config['prediction']!r}; expected 'v', the reference's.")
    table = NoiseTable(num_train_timesteps=config["num_timesteps"])
    inputs = load_state_dict(path / "inputs.safetensors")
    for row in json.loads((path / "expected.json").read_text(encoding="utf-8"))["rows"]:
        index, timestep = row["index"], row["timestep_index"]
        label = f"row {index} "
        clean, noise, prediction, theirs = (
            inputs[f"{name}_{index}"] for name in ("x0", "noise", "prediction", "noised")
        )
        timesteps = torch.full((len(clean),), timestep)
        level = levels_of_timesteps(timesteps, table)
        noised = V_PREDICTION.add_noise(clean, noise, level)
        ours = {
            "timestep_seen_by_network": float(timesteps[0]),
            "sqrt_alpha_bar": float(level[0]),
            "noised": noised,
        }
        expected = {**{name: row[name] for name in ours if name != "noised"}, "noised": theirs}
        yield from compare_expected(ours, expected, tolerance, label=label)
        allowed = {**tolerance, "loss_rtol": _LOST_DIGITS} if timestep < _CLEANEST else tolerance
        forms = {
            "": V_PREDICTION.errors(prediction, clean, noise, level),
            "of clean latents ": clean_errors(prediction.double(), _exactly_noised(clean, noise, level), clean, level),
        }
        for form, errors in forms.items():
            found, wanted = {"loss": float(errors.mean())}, {"loss": row["loss"]}
            yield from compare_expected(found, wanted, allowed, label=label + form)


def _exactly_noised(clean: Any, noise: Any, level: Any) -> Any:  # noqa: ANN401 - tensors
    """Return noisy latents in float64: in float32 the form of clean latents loses more digits than a case allows."""
    return V_PREDICTION.add_noise(clean.double(), noise.double(), level)
