"""Random numbers for tiny networks: the same on every machine, and marked UNTRAINED wherever they lead."""

import json
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError
from anisora.harness.weights import untrained_rule

__all__ = ["TRAINING_CARD", "came_from_random_numbers", "random_numbers"]

TRAINING_CARD: Final = "training.json"
"""In a folder that a training wrote: where its network comes from."""


def random_numbers(module: Any, tag: str, *, seed: int = 0) -> Any:  # noqa: ANN401 - any module
    """Fill a network by ``weights.untrained_rule`` and return it, frozen.

    Args:
        module: Of any library, on the CPU with storage.
        tag: Its name; other names, other numbers.
        seed: The same.
    """
    import torch

    shapes = {name: tuple(tensor.shape) for name, tensor in module.named_parameters()}
    with torch.no_grad():
        for name, array in untrained_rule(shapes, tag=tag, seed=seed).items():
            module.get_parameter(name).copy_(torch.from_numpy(array))
    return module.requires_grad_(requires_grad=False).eval()


def came_from_random_numbers(weights: str) -> bool:
    """Return whether a folder holds what a training made of random numbers: tiny models stay tiny.

    Args:
        weights: A folder, or what else a model's specification may name; empty for none.

    Raises:
        ConfigError: The folder has a card that does not say so: nobody can tell whether it was trained.
    """
    card = Path(weights).expanduser() / TRAINING_CARD if weights else None
    if card is None or not card.is_file():
        return False
    try:
        said = json.loads(card.read_text(encoding="utf-8"))["untrained"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"`{card}` does not say whether the network came from random numbers ({type(error).__name__}); expected "
            "`untrained`. Export the training again, or take the folder from its authors."
        ) from error
    return bool(said)
