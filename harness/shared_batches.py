"""The batches of one network, filled with windows of several clips where workers wait for it at the same time."""

import threading
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.protocols import Batch, FeatureExtractor

__all__ = ["SharedBatches", "extract_padded"]

_Arrays = dict[str, NDArray[Any]]


class SharedBatches:
    """Calls an extractor for several threads, one call at a time.

    A clip's last batch is seldom full. Threads that wait while the network is busy put such batches together, as far as
    they fit. Every call has ``batch_size`` windows, so that a row's bits depend neither on its neighbours nor on
    how many workers there are.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        """Take the extractor; it says whether it shares batches."""
        self._extractor = extractor
        self._size = extractor.info.batch_size
        self._may_join = extractor.info.shares_batches and not extractor.info.needs
        self._network = threading.Lock()
        self._guard = threading.Lock()
        self._waiting: deque[_Part] = deque()
        self.calls = 0
        """How often the extractor was called."""

    def extract(self, batch: Batch) -> _Arrays:
        """Return the rows of a batch of at most ``batch_size`` windows, in its order.

        Raises:
            MetricError: The extractor returned another number of rows. What it raises itself is passed on.
        """
        part = _Part(batch)
        with self._guard:
            self._waiting.append(part)
        with self._network:
            if not part.is_done:
                self._run(self._fitting(part))
        if part.error is not None:
            raise part.error
        return part.arrays

    def _fitting(self, first: "_Part") -> "list[_Part]":
        """Take from those that wait this one and others that fill its batch up."""
        chosen, room = [first], self._size - first.rows
        with self._guard:
            for other in self._waiting if self._may_join else ():
                if other is not first and other.rows <= room and other.shape == first.shape:
                    chosen.append(other)
                    room -= other.rows
            for part in chosen:
                self._waiting.remove(part)
        return chosen

    def _run(self, parts: "list[_Part]") -> None:
        batch = parts[0].batch
        if len(parts) > 1:
            batch = replace(
                batch,
                frames=np.concatenate([part.batch.frames for part in parts]),
                indices=np.concatenate([part.batch.indices for part in parts]),
            )
        self.calls += 1
        try:
            arrays = extract_padded(self._extractor, batch)
        except Exception as error:
            if len(parts) == 1:
                parts[0].fail(error)
                return
            for part in parts:  # whose it is shows only alone
                self._run([part])
            return
        start = 0
        for part in parts:
            part.finish({name: array[start : start + part.rows] for name, array in arrays.items()})
            start += part.rows


class _Part:
    """One caller's windows, and what became of them."""

    __slots__ = ("arrays", "batch", "error", "is_done", "rows", "shape")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.rows = len(batch.frames)
        self.shape = batch.frames.shape[1:]
        self.arrays: _Arrays = {}
        self.error: Exception | None = None
        self.is_done = False

    def finish(self, arrays: _Arrays) -> None:
        self.arrays, self.is_done = arrays, True

    def fail(self, error: Exception) -> None:
        self.error, self.is_done = error, True


def extract_padded(extractor: FeatureExtractor, batch: Batch) -> _Arrays:
    """Call an extractor with a batch filled up to its size by copies of the last window; return the real rows.

    Raises:
        MetricError: It returned another number of rows.
    """
    size, rows = extractor.info.batch_size, len(batch.frames)
    arrays = extractor.extract(_filled_up(batch, size - rows) if rows < size else batch)
    for name, array in arrays.items():
        if len(array) != size:
            raise MetricError(
                f"Extractor `{extractor.info.name}` returned {name!r} of length {len(array)} for a batch of {size}; "
                "expected one row per window."
            )
    return {name: array[:rows] for name, array in arrays.items()}


def _filled_up(batch: Batch, count: int) -> Batch:
    def filled(array: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([array, np.repeat(array[-1:], count, axis=0)])

    return replace(
        batch,
        frames=filled(batch.frames),
        indices=filled(batch.indices),
        reference=None if batch.reference is None else filled(batch.reference),
    )
