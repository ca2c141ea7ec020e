"""The exponential moving average of weights in training (EMA)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["MovingAverage"]


class MovingAverage:
    """Averages the weights of each step; early ones, which are far from the end, are forgotten faster.

    After step n, counted from 0, the decay is ``min(decay, (1 + n) / (10 + n))``.
    """

    def __init__(self, weights: "Mapping[str, torch.Tensor]", decay: float) -> None:
        """Begin with copies.

        Args:
            weights: {name: weights} in training, which are looked at again in each update.
            decay: Above 0 and below 1.
        """
        self._weights = weights
        self._decay = decay
        self.averages = {name: each.detach().clone() for name, each in weights.items()}
        """{name: average}"""

    def update(self, step: int) -> None:
        """Take the weights of a step in."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, each in self._weights.items():
            self.averages[name].lerp_(each.detach(), 1 - decay)

    @contextmanager
    def in_place(self) -> "Iterator[None]":
        """Let the network have the averages inside the block."""
        kept = {name: each.detach().clone() for name, each in self._weights.items()}
        self._put(self.averages)
        try:
            yield
        finally:
            self._put(kept)

    def load(self, averages: "Mapping[str, torch.Tensor]") -> None:
        """Take averages that were kept."""
        for name, each in self.averages.items():
            each.copy_(averages[name])

    def _put(self, values: "Mapping[str, torch.Tensor]") -> None:
        for name, each in self._weights.items():
            each.detach().copy_(values[name])
