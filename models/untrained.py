"""Random numbers for tiny networks: the same on every machine, and marked UNTRAINED wherever they lead."""

from typing import Any

from anisora.harness.weights import untrained_rule

__all__ = ["random_numbers"]


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
