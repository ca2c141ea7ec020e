"""Work on this machine: the same items, the same rows, whatever the number of workers."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["map_unordered"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_unordered(function: Callable[[Item], Result], items: Iterable[Item], *, workers: int) -> Iterator[Result]:
    """Yield results as they are ready; at most ``workers`` items are in work and none waits in memory.

    The work is decoding in child processes, OpenCV, numpy and networks, all of which let go of the interpreter lock, so
    threads keep the cores busy and share one feature store. An exception ends the iteration after the items at work.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="anisora") as executor:
        running: set[Future[Result]] = set()
        try:
            while True:
                while len(running) < workers and (item := next(source, _END)) is not _END:
                    running.add(executor.submit(function, item))  # type: ignore[arg-type]
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()


_END = object()
