"""How VBench compares the features of frames: cosines that are never below zero."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["clamped_cosine", "consistency_terms"]


def clamped_cosine(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ``max(0, cos)`` along the last axis; 0 where a vector is zero.

    Args:
        first: (..., n).
        second: (..., n), of a shape that broadcasts with the first.

    Returns:
        (...), 0..1.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    product = (a * b).sum(axis=-1)
    lengths = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    return np.asarray(np.clip(cosine, 0.0, 1.0))


def consistency_terms(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return, for every frame but the first, the mean of its similarity to the frame before and to the first.

    Args:
        features: (frames, n), at least two frames.

    Returns:
        (frames - 1,) in 0..1: VBench, vbench/subject_consistency.py and background_consistency.py.
    """
    before = clamped_cosine(features[1:], features[:-1])
    first = clamped_cosine(features[1:], features[:1])
    return (before + first) / 2
