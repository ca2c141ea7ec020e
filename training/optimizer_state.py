"""The state of AdamW as tensors by name, so that no pickle keeps it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["load_optimizer_state", "optimizer_state"]


def optimizer_state(optimizer: "torch.optim.Optimizer", names: Sequence[str]) -> "dict[str, torch.Tensor]":
    """Return {moment/name: tensor}.

    Args:
        optimizer: Has one group of weights.
        names: Of the weights, in the order in which it was given them.
    """
    state: dict[int, Mapping[str, torch.Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{moment}/{names[at]}": tensor for at, of_weights in state.items() for moment, tensor in of_weights.items()
    }


def load_optimizer_state(
    optimizer: "torch.optim.Optimizer", names: Sequence[str], tensors: "Mapping[str, torch.Tensor]"
) -> None:
    """Put an optimizer into a state that was kept.

    Args:
        optimizer: New, with the same weights.
        names: Of the weights.
        tensors: As ``optimizer_state`` returned them.
    """
    places = {name: at for at, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        moment, _, name = key.partition("/")
        state.setdefault(places[name], {})[moment] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
