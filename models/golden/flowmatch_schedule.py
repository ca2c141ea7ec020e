"""Golden cases of kind ``gen_flowmatch_schedule``: levels, timesteps and weights of flow matching."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.wan.flow_schedule import flow_sigmas, training_weights

__all__ = ["handle"]

_NAME: Final = re.compile(r"(train_)?(?P<quantity>sigmas|timesteps|weights)_(?P<steps>[0-9]+)")


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute every table that a case expects again and compare it.

    Args:
        path: Folder with expected tensors [train_]sigmas|timesteps|weights_<steps>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its shift is not positive.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config = case["config"]
    for name, reference in load_state_dict(path / "expected.safetensors", framework="numpy").items():
        found = _NAME.fullmatch(name)
        if found is None:
            raise DataError(f"The case expects {name}, which is not computed here; it has sigmas, timesteps, weights.")
        steps = int(found["steps"])
        sigmas = flow_sigmas(
            steps, shift=config["shift"], sigma_min=config["sigma_min"], extra_one_step=config["extra_one_step"]
        )
        timesteps = sigmas * config["num_train_timesteps"]
        quantity = found["quantity"]
        ours = training_weights(timesteps) if quantity == "weights" else timesteps
        ours = sigmas if quantity == "sigmas" else ours
        label = f"{name.removesuffix(f'{quantity}_{steps}')}{steps} "
        yield from compare_expected({quantity: ours}, {quantity: reference}, case["tolerance"], label=label)
