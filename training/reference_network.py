"""The network as it is before training, for losses that hold the one in training to it."""

from copy import deepcopy
from typing import Any

from anisora.training.surroundings import Surroundings
from anisora.training.velocity_network import VelocityNetwork

__all__ = ["frozen_network", "reference_network"]


def reference_network(given: Surroundings[Any]) -> VelocityNetwork | None:
    """Return a frozen copy, or None where it is the network in training without its adapters."""
    return None if given.config.lora is not None else frozen_network(given, deepcopy(given.family.network))


def frozen_network(given: Surroundings[Any], network: Any) -> VelocityNetwork:  # noqa: ANN401 - a module of diffusers
    """Return a network of the family's class as a module of its own that is not trained.

    Args:
        given: Has the family.
        network: It is taken as it is.
    """
    frozen = VelocityNetwork(given.family.with_network(network), is_bfloat16=given.is_bfloat16)
    return frozen.to(given.device).requires_grad_(requires_grad=False).eval()
