"""Small extractors with known answers, for tests of the feature store."""

import threading
import time
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


class Busy(MeanLevel):
    """Notes how many callers are inside it at once, in all its copies and in the busiest of them."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(name="busy", **fields)
        self.copies: list[Busy] = []
        self.inside = self.most_at_once = self.most_in_one_copy = 0
        self._original = self

    def copy(self) -> "Busy":
        made = Busy(weights=self.info.weights, copied_per_worker=self.info.copied_per_worker)
        made._original = self
        self.copies.append(made)
        return made

    def _enter(self, change: int) -> None:
        original = self._original
        with original._lock:
            self.inside += change
            inside = [copy.inside for copy in original.copies]
            original.most_at_once = max(original.most_at_once, sum(inside))
            original.most_in_one_copy = max(original.most_in_one_copy, *inside)

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        self._enter(1)
        time.sleep(0.02)  # long enough that the other thread comes by
        found = super().extract(batch)
        self._enter(-1)
        return found


class PromptLength(MeanLevel):
    """Length of the prompt and height of the frames: what they show does not matter."""

    def __init__(self) -> None:
        super().__init__(name="prompt_length", needs=frozenset({"prompt"}), reads="inputs")

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        super().extract(batch)
        assert batch.prompt is not None
        return {"length": np.array([[len(batch.prompt), batch.stream.height]] * len(batch.frames))}


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
