"""Small extractors with known answers, for tests of the feature store."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo


class MeanLevel:
    """Mean pixel level of each frame; counts its calls and the shapes it is given."""

    def __init__(self, *, name: str = "mean_level", batch_size: int = 1, version: int = 1, **fields: Any) -> None:
        self.info = ExtractorInfo(
            name=name, version=version, window=fields.pop("window", 1), batch_size=batch_size, **fields
        )
        self.shapes: list[tuple[int, ...]] = []
        self.indices: list[list[int]] = []
        self._lock = threading.Lock()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        with self._lock:
            self.shapes.append(batch.frames.shape)
            self.indices += batch.indices.tolist()
        return {"level": batch.frames.mean(axis=(2, 3, 4))}


class Difference(MeanLevel):
    """Mean absolute difference to the ground truth's frame."""

    def __init__(self, *, name: str = "difference", **fields: Any) -> None:
        super().__init__(name=name, needs=frozenset({"ground_truth"}), **fields)

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        assert batch.reference is not None
        assert batch.reference_stream is not None
        super().extract(batch)
        gap = np.abs(batch.frames.astype(np.int64) - batch.reference.astype(np.int64))
        return {"gap": gap.mean(axis=(1, 2, 3, 4)), "fps": np.full(len(gap), batch.reference_stream.fps)}


class Broken(MeanLevel):
    """Fails on every clip."""

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        raise ZeroDivisionError("no frames divide well")
