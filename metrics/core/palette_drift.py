"""How far the colours of a clip wander from those of its first frame."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored

__all__ = ["PARTS", "PaletteDrift", "palette_distances", "quantile_means"]

PARTS: Final = 32
"""Equal parts into which the sorted values of a frame are cut."""


def quantile_means(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sort values, cut them into 32 parts of equal size, and return the mean of each part.

    Args:
        counts: (levels,) how often each of the values 0, 1, 2, ... occurs.

    Returns:
        (32,) rising. A value on a border belongs to both parts, in the proportion it is cut.
    """
    levels = np.arange(len(counts))
    ranks = np.concatenate([[0], np.cumsum(counts)])
    sums = np.concatenate([[0], np.cumsum(counts * levels)])
    borders = np.arange(PARTS + 1) * (ranks[-1] / PARTS)
    # The sum of the smallest n values is linear in n between the ranks at which the value changes.
    means: NDArray[np.float64] = np.diff(np.interp(borders, ranks, sums)) * (PARTS / ranks[-1])
    return means


def palette_distances(palettes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the palette of each frame is from the first one's.

    Along each axis of CIE Lab, the earth mover's distance of the two distributions, ``mean_k |q_k - q'_k|`` over the
    means of their 32 equal parts; of the three, the root of the sum of squares. Where pixels are does not matter. A
    shift of all colours by one vector gives the length of that vector, CIE76's Delta E.

    Args:
        palettes: (frames, 3, 32) of L*, a* and b*.

    Returns:
        (frames - 1,) from 0 upwards.
    """
    along = np.abs(palettes[1:] - palettes[:1]).mean(axis=2)
    distances: NDArray[np.float64] = np.sqrt(np.square(along).sum(axis=1))
    return distances


class PaletteDrift:
    """Mean over frames of the distance of the palette from the first frame's."""

    info = MetricInfo(
        name="palette_drift",
        title="Palette drift",
        version=1,
        direction="lower",
        value_range=(0.0, float("inf")),
        requests=(FeatureRequest(extractor="colour_statistics", sampling=FrameSampling()),),
        source="this project; earth mover's distance of Rubner et al. 2000, IJCV 40(2), along each axis of CIE Lab",
        min_frames=2,
        unit="Delta E",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame after the first.

        Returns:
            Value from 0 upwards in units of CIE Lab.
        """
        request = self.info.requests[0]
        palettes = features.get(item, request.extractor, request.sampling)["palette"]
        distances = palette_distances(palettes.astype(np.float64))
        return scored(item, distances.mean(), parts={"frames": distances.tolist()})
