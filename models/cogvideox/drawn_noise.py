"""Noise, drawn on the CPU in float32: one seed gives the same clip on every device and in every number format."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["NoiseInOrder", "step_noise"]


def step_noise(
    generator: "torch.Generator", shape: Sequence[int], device: "torch.device | str" = "cpu"
) -> "torch.Tensor":
    """Return the next standard normal draw of a generator.

    Args:
        generator: On the CPU.
        shape: Of the draw.
        device: Where it is to be.

    Returns:
        A float32 tensor.
    """
    import torch

    return torch.randn(tuple(shape), generator=generator, dtype=torch.float32).to(device)


class NoiseInOrder:
    """The noise of each step of a clip, drawn when the loop comes to it: all of them at once may be a gigabyte."""

    def __init__(
        self, generator: "torch.Generator", shape: Sequence[int], draws: int, device: "torch.device | str" = "cpu"
    ) -> None:
        self._generator, self._shape, self._device = generator, tuple(shape), device
        self._draws, self._next = draws, 0

    def __len__(self) -> int:
        return self._draws

    def __getitem__(self, index: int, /) -> "torch.Tensor":
        """Return the draw of a step.

        Args:
            index: That of the step; each is asked for once, in order.

        Raises:
            IndexError: It is not the next one, or there is none.
        """
        if index != self._next or index >= self._draws:
            raise IndexError(f"noise {index} asked for; the next of {self._draws} is {self._next}")
        self._next += 1
        return step_noise(self._generator, self._shape, self._device)
