"""How much memory networks take, one group at a time and all together, and what fits where.

Only tensors are counted. What a network computes comes on top, so what is refused here cannot fit, and what is not
refused may still be too large.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anisora.harness.device import Dtype
from anisora.harness.errors import ConfigError
from anisora.harness.residency import Resident

__all__ = ["DTYPE_BYTES", "GroupMemory", "MemoryEstimate", "NetworkMemory", "gigabytes"]

DTYPE_BYTES: Final[Mapping[Dtype, int]] = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class NetworkMemory:
    """A network on its device."""

    name: str
    """Entry of the ledger."""
    size: int | None
    """Bytes; None where nothing says how large it is."""
    dtype: Dtype = "float32"

    def __str__(self) -> str:
        """As it is told to people."""
        return f"{self.name} {'of unknown size' if self.size is None else gigabytes(self.size)} in {self.dtype}"


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """The networks of metrics that are computed together."""

    metrics: tuple[str, ...]
    networks: tuple[NetworkMemory, ...]

    @property
    def size(self) -> int:
        """Bytes of those whose size is known."""
        return sum(network.size or 0 for network in self.networks)


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """The networks of a request, by group."""

    groups: tuple[GroupMemory, ...]

    @property
    def networks(self) -> tuple[NetworkMemory, ...]:
        """Each once, by name."""
        return tuple({network.name: network for group in self.groups for network in group.networks}.values())

    def needed(self, resident: Resident) -> int:
        """Return the bytes that are taken at once: those of the largest group, or of all networks."""
        if resident == "one":
            return max((group.size for group in self.groups), default=0)
        return sum(network.size or 0 for network in self.networks)

    def text(self, *, device: str, free: int | None) -> str:
        """Return one line for people.

        Args:
            device: Where the networks are to run.
            free: Bytes that it has; None if unknown.
        """
        if not self.networks:
            return "no networks to load"
        told = f"free on {device}: {'unknown' if free is None else gigabytes(free)}"
        sums = f"one at a time: {gigabytes(self.needed('one'))}, all: {gigabytes(self.needed('all'))}"
        return f"{', '.join(map(str, self.networks))}; {sums}; {told}"

    def check_fits(
        self, resident: Resident, *, device: str, free: int | None, others: Mapping[str, int | None] | None = None
    ) -> None:
        """Refuse what cannot fit.

        Args:
            resident: Which networks are in memory together.
            device: Where they are to run.
            free: Bytes that it has; None, which refuses nothing, if unknown.
            others: {device: free bytes} of the other devices of this machine.

        Raises:
            ConfigError: More is needed than is free; the message says what would fit.
        """
        needed = self.needed(resident)
        if free is None or needed <= free:
            return
        raise ConfigError(
            f"`--resident {resident}` needs {gigabytes(needed)} for networks, and {device} has {gigabytes(free)} free; "
            f"expected no more; {self._advice(resident, free, others or {})}."
        )

    def _advice(self, resident: Resident, free: int, others: Mapping[str, int | None]) -> str:
        ways = []
        needed, least = self.needed(resident), self.needed("one")
        if resident == "all" and least <= free:
            ways.append(f"--resident one ({gigabytes(least)})")
        fitting = [metric for group in self.groups if group.size <= free for metric in group.metrics]
        if fitting and least > free:
            # Dimensions are named without their mode.
            names = ",".join(dict.fromkeys(metric.partition(":")[0] for metric in fitting))
            ways.append(f"--dimensions {names} with --resident one")
        ways += [
            f"--device {name} ({gigabytes(size)} free)" for name, size in others.items() if size and size >= needed
        ]
        if not ways:
            return f"nothing of it would fit here: free memory, or take a device with {gigabytes(least)} free"
        return f"what would fit: {', or '.join(ways)}"


def gigabytes(size: int) -> str:
    """Return bytes as gigabytes (10^9), below a tenth of one as megabytes (10^6).

    Example:
        >>> gigabytes(16_543_000_000), gigabytes(4_200_000)
        ('16.5 GB', '4.2 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 10**8 else f"{size / 1e6:.1f} MB"
