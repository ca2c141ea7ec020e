"""The memory of the machine that this process may still take."""

from pathlib import Path

__all__ = ["free_host_memory", "free_of_group", "free_of_machine"]


def free_host_memory() -> int | None:
    """Return how many bytes this process may still take; None if unknown.

    A limit of the control group that the process runs in counts like the machine's.
    """
    known = [size for size in (free_of_machine(), free_of_group()) if size is not None]
    return min(known, default=None)


def free_of_machine(file: Path = Path("/proc/meminfo")) -> int | None:
    """Return what Linux says is available, without swapping."""
    for line in _lines(file):
        name, _, size = line.partition(":")
        if name == "MemAvailable":
            return int(size.split()[0]) * 1024  # "kB" there is 1024 bytes
    return None


def free_of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what is left of the limit of a container; files that are only cached count as free."""
    limit, used = (_lines(folder / name)[:1] for name in ("memory.max", "memory.current"))
    if not limit or not used or not limit[0].isdecimal():  # "max" is no limit
        return None
    cached = [int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.startswith("inactive_file ")]
    return max(0, int(limit[0]) - int(used[0]) + sum(cached))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
