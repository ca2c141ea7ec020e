"""What rewards that are made of other rewards have in common: a life that ends with that of their parts."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from anisora.harness.protocols import RewardModel

__all__ = ["WrappedReward"]

_CPU: Final = "cpu"


class WrappedReward:
    """A context manager that closes the rewards it owns."""

    def __init__(self, parts: Sequence[RewardModel], *, owned: Sequence[RewardModel]) -> None:
        """Take the parts.

        Args:
            parts: What it is made of.
            owned: Those of them that end with it.
        """
        self._parts = tuple(parts)
        self._owned = tuple(owned)

    @property
    def device(self) -> str:
        """Where networks run: the first device other than the CPU among those of the parts."""
        devices = [str(getattr(part, "device", _CPU)) for part in self._parts]
        return next((device for device in devices if device != _CPU), _CPU)

    def __enter__(self) -> Self:
        """Use as a context manager; leaving closes what it owns."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the parts that it owns."""
        for part in self._owned:
            close = getattr(part, "close", None)
            if close is not None:
                close()
