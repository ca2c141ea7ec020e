"""Running a small torch network on the CPU so that its numbers do not depend on the machine's load."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["single_threaded"]


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute with one thread and without gradients inside the block.

    Several threads split sums in other places, so the last bits would change with the number of cores.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
