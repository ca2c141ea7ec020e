"""The states of the random generators of a process as tensors: torch's, numpy's and Python's."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["random_states", "restore_random_states", "unchanged_random_states"]

_VERSION = 3
"""Of the state of Python's generator."""


def random_states(device: "torch.device") -> "dict[str, torch.Tensor]":
    """Return {generator: its state}; the same shapes at all times and in all processes.

    Args:
        device: Of the training; an accelerator has a generator of its own.
    """
    import torch

    _, numbers, gauss = random.getstate()
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    inner = state["state"]
    found = {
        "python": torch.tensor(numbers, dtype=torch.int64),
        "python_gauss": _maybe(gauss),
        "numpy": torch.from_numpy(inner["key"].astype(np.int64)),
        "numpy_position": torch.tensor([inner["pos"]], dtype=torch.int64),
        "numpy_gauss": _maybe(state["gauss"] if state["has_gauss"] else None),
        "torch": torch.get_rng_state(),
    }
    if device.type != "cpu":
        found["device"] = torch.get_device_module(device).get_rng_state(device)
    return found


def restore_random_states(states: "Mapping[str, torch.Tensor]", device: "torch.device") -> None:
    """Put the generators of this process into states that were taken.

    Args:
        states: As ``random_states`` returned them.
        device: Of the training.
    """
    import torch

    random.setstate((_VERSION, tuple(states["python"].tolist()), _number(states["python_gauss"])))
    gauss = _number(states["numpy_gauss"])
    np.random.set_state(
        {
            "bit_generator": "MT19937",
            "state": {
                "key": states["numpy"].numpy().astype(np.uint32),
                "pos": int(states["numpy_position"]),
            },
            "has_gauss": int(gauss is not None),
            "gauss": 0.0 if gauss is None else gauss,
        }
    )
    torch.set_rng_state(states["torch"])
    if "device" in states and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states["device"], device)


@contextmanager
def unchanged_random_states(device: "torch.device") -> Iterator[None]:
    """Leave the generators of this process as they were, whatever is drawn inside.

    Args:
        device: Of the training.
    """
    before = random_states(device)
    try:
        yield
    finally:
        restore_random_states(before, device)


def _maybe(number: float | None) -> "torch.Tensor":
    import torch

    return torch.tensor([number is not None, 0.0 if number is None else number], dtype=torch.float64)


def _number(stored: "torch.Tensor") -> float | None:
    return float(stored[1]) if bool(stored[0]) else None
