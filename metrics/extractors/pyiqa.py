"""Measures of pyiqa that need no weights, of each frame."""

import threading
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import missing_distributions, require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.registry import SpecValue
from anisora.harness.types import Frames
from anisora.metrics.iqa.measures import DISTRIBUTIONS, EXTRA, MEASURES, measure_named
from anisora.metrics.local.torch_inference import single_threaded

__all__ = ["Pyiqa"]

_making = threading.Lock()


@cache
def _made(measure: str) -> Any:  # noqa: ANN401 - pyiqa.InferenceModel
    return import_module("pyiqa").create_metric(measure, device="cpu")


class Pyiqa:
    """Per frame: ``score``, in the measure's own unit; NaN where the ground truth has another size."""

    def __init__(self, **measure: SpecValue) -> None:
        """Choose the measure.

        Args:
            **measure: The name of one as a bare word: ``pyiqa:piqe``.

        Raises:
            ConfigError: It is none that needs no weights.
        """
        self._measure = measure_named(measure)
        self._compares = MEASURES[self._measure].compares
        installed = "absent" if missing_distributions(["pyiqa"]) else version("pyiqa")
        self.info = ExtractorInfo(
            name="pyiqa",
            version=1,
            window=1,
            preprocess=f"rgb01;pyiqa-{installed};{self._measure}",
            needs=frozenset({"ground_truth"}) if self._compares else frozenset(),
            extra=EXTRA,
            distributions=DISTRIBUTIONS,
            summary="a measure of pyiqa that needs no weights, of each frame",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``score`` (B,) float64.

        Raises:
            MissingExtra: pyiqa is not installed.
            MetricError: The measure compares, and the batch has no ground truth.
        """
        require_extra(self.info)
        if not self._compares:
            return {"score": np.array([self._score(frame) for frame in batch.frames[:, 0]])}
        if batch.reference is None:
            raise MetricError(
                f"Extractor `pyiqa:{self._measure}` got a batch without ground truth; expected its frames."
            )
        pairs = zip(batch.frames[:, 0], batch.reference[:, 0], strict=True)
        return {
            "score": np.array(
                [self._score(frame, truth) if frame.shape == truth.shape else np.nan for frame, truth in pairs]
            )
        }

    def _score(self, *pictures: Frames) -> float:
        with _making:
            model = _made(self._measure)
        with single_threaded():
            return float(model(*(_unit(picture) for picture in pictures)).reshape(()))


def _unit(picture: Frames) -> Any:  # noqa: ANN401 - a torch tensor
    """Return (1, 3, H, W) float32, 0..1."""
    import torch

    return torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
