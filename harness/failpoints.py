"""Named places where a test makes the program die or a disk fail.

``ANISORA_FAILPOINT=name:action[:n]`` acts at the n-th passage (default 1): ``kill`` sends SIGKILL to the process,
``enospc`` and ``erofs`` raise the OSError of a full disk and of a read-only file system. Without the variable a
failpoint costs one dictionary lookup. The names are listed in FAILPOINTS, so that a test can visit all of them.
"""

import errno
import os
import signal
from collections import Counter
from typing import Final

from anisora.harness.errors import ConfigError

__all__ = ["FAILPOINTS", "RUN_FAILPOINTS", "failpoint"]

_WRITES: Final = ("before_write", "after_write", "after_flush", "after_rename")

RUN_FAILPOINTS: Final[tuple[str, ...]] = (
    *(
        f"{name}.{stage}"
        for name in ("spec", "clips", "scores", "errors", "record", "clip", "preview", "details", "cache")
        for stage in _WRITES
    ),
    *(
        f"journal.{stage}"
        for stage in ("before_write", "mid_write", "after_write", "after_flush", "before_remove", "after_remove")
    ),
    *(f"ingest.{stage}" for stage in ("before_begin", "after_delete", "before_commit", "after_commit")),
)
"""Those that a run passes."""

FAILPOINTS: Final = (
    *RUN_FAILPOINTS,
    *(f"{name}.{stage}" for name in ("network", "steps", "checkpoint") for stage in _WRITES),
)
"""Every name that ``failpoint`` is called with."""

_passages: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Die or fail here if the environment says so."""
    setting = os.environ.get("ANISORA_FAILPOINT")
    if not setting:
        return
    wanted, _, rest = setting.partition(":")
    action, _, nth = rest.partition(":")
    if wanted not in FAILPOINTS or action not in ("kill", "enospc", "erofs"):
        raise ConfigError(
            f"`ANISORA_FAILPOINT` got {setting!r}; expected name:kill|enospc|erofs[:n] with a known name."
        )
    if name != wanted:
        return
    _passages[name] += 1
    if _passages[name] < int(nth or 1):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    number = errno.ENOSPC if action == "enospc" else errno.EROFS
    raise OSError(number, os.strerror(number), name)
