"""How far the fastest parts of the picture move between two frames, by RAFT."""

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.networks.raft import SMALLEST_SIDE, WEIGHTS, Raft

__all__ = ["RaftThings"]

_FASTEST: Final = 0.05
"""Share of the padded picture whose mean magnitude is taken."""


class RaftThings:
    """Per pair of sampled frames: ``largest_motion``, the mean magnitude of the fastest twentieth of the picture."""

    info = ExtractorInfo(
        name="raft_things",
        version=1,
        window=2,
        preprocess="rgb8-padded8-minus1to1-20updates-top5percent",
        weights=(WEIGHTS,),
        extra="models",
        distributions=("torch", "torchvision"),
        summary="optical flow of RAFT between sampled frames, reduced to its largest magnitudes",
    )

    def __init__(self, *, network: Raft | None = None) -> None:
        """Take a network in place of the ledger's."""
        self._network = network

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``largest_motion`` (B,) float64, in pixels.

        Raises:
            MetricError: The frames have a side below 121 pixels.
        """
        require_extra(self.info)
        height, width = batch.frames.shape[2:4]
        if min(height, width) < SMALLEST_SIDE:
            raise MetricError(
                f"Frames are {width}x{height}; RAFT needs sides of {SMALLEST_SIDE} pixels or more. "
                "Score larger clips, or leave out the metrics of `raft_things`."
            )
        network = self._network or shared_network("raft-things", Raft, self.info.weights)
        return {"largest_motion": np.array([_largest_motion(network, *pair) for pair in batch.frames], np.float64)}


def _largest_motion(network: Raft, first: Frames, second: Frames) -> float:
    import torch

    pixels, digests = [], []
    for frame in (first, second):
        contiguous = np.array(frame)  # torch warns of memory that it may not write to
        pixels.append(torch.from_numpy(contiguous).permute(2, 0, 1)[None].float())
        digests.append(hashlib.sha256(contiguous.data).digest() + str(frame.shape).encode())
    flow = network(pixels[0], pixels[1], (digests[0], digests[1]))
    magnitude = flow.double().pow(2).sum(dim=0).sqrt().flatten()
    return float(magnitude.topk(int(_FASTEST * len(magnitude))).values.mean())
