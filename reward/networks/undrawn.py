"""Networks of ``transformers`` before their weights are read."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["undrawn"]

Module = TypeVar("Module")


def undrawn(build: Callable[[], Module]) -> Module:
    """Build a network without drawing its numbers.

    Weights are memory as it comes, to be overwritten. What no file holds, such as positions, is computed as always: on
    the meta device it would be lost.

    Args:
        build: Makes the network from its configuration.
    """
    from transformers.initialization import no_init_weights

    with no_init_weights():
        return build()
