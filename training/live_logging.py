"""Tells the loggers of a training what its run folder has: now and then while it is at work, and when it ends."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from anisora.harness.errors import AnisoraError
from anisora.harness.protocols import TrainingLogger

__all__ = ["live_logging"]

_log = logging.getLogger(__name__)

_EVERY_S: Final = 30.0


@contextlib.contextmanager
def live_logging(
    folder: Path, loggers: Sequence[TrainingLogger], *, every_s: float = _EVERY_S
) -> Iterator[Callable[[], None]]:
    """Yield the function that is called after each step.

    Trouble with a logger while the training is at work is logged once, and does not stop it; the logger is told again
    later, and of all that it missed.

    Args:
        folder: The run folder.
        loggers: Who is told.
        every_s: Seconds between two times.

    Raises:
        RecordError: The training is done, and a logger did not take it.
    """
    last = time.monotonic() - every_s
    told_of: set[int] = set()

    def step() -> None:
        nonlocal last
        if not loggers or time.monotonic() - last < every_s:
            return
        for place, logger in enumerate(loggers):
            try:
                logger.on_progress(folder, "running")
            except AnisoraError as error:
                if place not in told_of:
                    _log.warning("the training goes on, and will be logged later: %s", error)
                told_of.add(place)
        last = time.monotonic()

    try:
        yield step
    except BaseException:
        for logger in loggers:
            with contextlib.suppress(AnisoraError):  # what stopped the training is told, and not what came of it
                logger.on_progress(folder, "stopped")
        raise
    for logger in loggers:
        logger.on_progress(folder, "finished")
