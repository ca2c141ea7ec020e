"""What a call of a reward takes: seconds, and the most memory at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from anisora.harness.device import Device, peak_memory, reset_peak_memory, resolve

__all__ = ["CallCost", "measured_call"]

_PROCESS: Final = Path("/proc/self")
_RESET_PEAK: Final = "5"
"""Linux's word for: the process's highest resident size counts anew (proc(5), clear_refs)."""
_KIBIBYTE: Final = 1024


class CallCost:
    """Filled when the call ends."""

    seconds: float = 0.0
    peak_bytes: int | None = None
    """On an accelerator, of all tensors of this process there; on the CPU, of the process without its decoders. All
    that lies there counts, whoever put it there. None where the system does not tell."""


@contextmanager
def measured_call(device: str) -> Iterator[CallCost]:
    """Measure what happens inside.

    The peak counters of device and process begin anew with it, for everybody who reads them.

    Args:
        device: Where networks run.
    """
    cost, where = CallCost(), resolve(device)
    can_tell = _reset_peak(where)
    started = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - started
        cost.peak_bytes = _peak(where) if can_tell else None


def _reset_peak(device: Device) -> bool:
    if device.kind != "cpu":
        reset_peak_memory(device)
        return True
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    except OSError:  # another system than Linux, or one that forbids it
        return False
    return True


def _peak(device: Device) -> int | None:
    if device.kind != "cpu":
        return peak_memory(device)
    for line in (_PROCESS / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIBIBYTE
    return None
