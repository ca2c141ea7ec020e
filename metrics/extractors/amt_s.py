"""How well AMT-S draws every second frame from its neighbours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames

__all__ = ["AmtS"]

_WEIGHTS = "amt-s"


class AmtS:
    """Per three consecutive frames, every second: ``mean_absolute``, of the middle one less what was drawn for it."""

    info = ExtractorInfo(
        name="amt_s",
        version=1,
        window=3,
        stride=2,
        preprocess="rgb8-padded16-unit-truncated",
        weights=(_WEIGHTS,),
        extra="models",
        distributions=("torch", "torchvision"),
        summary="error of every second frame as AMT-S draws it from its neighbours",
    )

    def __init__(self, *, network: Any = None) -> None:  # noqa: ANN401 - the network's module imports torch
        """Take an ``AmtS`` network in place of the ledger's."""
        self._network = network

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``mean_absolute`` (B,) float64, in levels of 0..255.

        Raises:
            MetricError: The padded frames have a side below 128 pixels.
        """
        require_extra(self.info)
        from anisora.metrics.networks.amt import SMALLEST_SIDE
        from anisora.metrics.networks.amt import AmtS as Network

        height, width = batch.frames.shape[2:4]
        if min(height + -height % 16, width + -width % 16) < SMALLEST_SIDE:
            raise MetricError(f"frames are {width}x{height}; AMT needs sides of {SMALLEST_SIDE} pixels, padded to 16.")
        network = self._network or shared_network("amt-s", Network, self.info.weights)
        return {"mean_absolute": np.array([_error(network, *window) for window in batch.frames], np.float64)}


def _error(network: Any, before: Frames, middle: Frames, after: Frames) -> float:  # noqa: ANN401 - as above
    import torch

    pixels = [torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float() / 255 for frame in (before, after)]
    # Cut, not rounded, to whole levels: so the original writes its pictures.
    drawn = (network(*pixels) * 255).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return float(np.abs(drawn.astype(np.int16) - middle).mean())
