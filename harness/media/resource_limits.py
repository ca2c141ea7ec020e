"""The limits a decoder process puts on itself."""

import math
import resource
import sys
from pathlib import Path

__all__ = ["allow_cpu_seconds", "limit_this_process"]


def limit_this_process(*, memory_bytes: int, open_files: int, may_write_files: bool) -> None:
    """Limit this process for the rest of its life.

    Args:
        memory_bytes: Address space beyond what is mapped now (Linux; elsewhere from zero).
        open_files: File descriptors, with those that are open now.
        may_write_files: False makes every write to a file fail; pipes and shared memory are not files here.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, open_files)
    if not may_write_files:
        _lower(resource.RLIMIT_FSIZE, 0)
    if sys.platform != "darwin":  # macOS refuses every value
        _lower(resource.RLIMIT_AS, _mapped_bytes() + memory_bytes)


def allow_cpu_seconds(seconds: float) -> None:
    """Let the process use so many more seconds of CPU (whole ones); then SIGXCPU ends it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _mapped_bytes() -> int:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 0
