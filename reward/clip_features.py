"""A clip as one vector: what frozen extractors say of its frames, by mean and deviation over them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import FeatureReader, FeatureRequest, Features
from anisora.harness.types import FrameSampling, Generation

__all__ = ["POOLING", "clip_vector", "feature_requests", "pooled"]

POOLING: Final = "mean-deviation-1"
"""Id of what ``pooled`` does; a new one when a number of it can change."""


def feature_requests(extractors: Sequence[str], frames: int) -> tuple[FeatureRequest, ...]:
    """Return what a head asks of the feature store: ``frames`` frames from first to last of each extractor."""
    sampling = FrameSampling(mode="uniform", count=frames)
    return tuple(FeatureRequest(extractor=name, sampling=sampling) for name in extractors)


def clip_vector(item: Generation, requests: Sequence[FeatureRequest], features: FeatureReader) -> NDArray[np.float32]:
    """Return the (D,) vector of a clip.

    Raises:
        VideoUnreadable: The clip cannot be decoded.
        MetricError: An extractor failed on it.
        ConfigError: What an extractor gives is no vector a frame.
    """
    return np.concatenate(
        [pooled(features.get(item, request.extractor, request.sampling), request.extractor) for request in requests]
    )


def pooled(features: Features, extractor: str = "") -> NDArray[np.float32]:
    """Return mean and standard deviation over windows of every array of an extractor, by the names of the arrays.

    Args:
        features: {name: (windows, ...)} numbers; a window with a number that is not finite is passed over by itself.
        extractor: For messages.

    Returns:
        (2 * numbers a window,) float32; NaN where no window has a finite number.

    Raises:
        ConfigError: An array has no numbers, or its rows are no windows.

    Example:
        >>> pooled({"size": np.array([[1.0, 5.0], [3.0, 5.0]])}).tolist()
        [2.0, 5.0, 1.0, 0.0]
    """
    found = []
    for name in sorted(features):
        array = np.asarray(features[name])
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            raise ConfigError(
                f"Extractor `{extractor}` gives `{name}` of {array.dtype}, shape {array.shape}; expected numbers a "
                "frame; choose other --features."
            )
        rows = array.reshape(len(array), -1).astype(np.float64)
        is_number = np.isfinite(rows)
        count = is_number.sum(axis=0)
        safe = np.where(count > 0, count, 1)
        mean = np.where(is_number, rows, 0.0).sum(axis=0) / safe
        deviation = np.sqrt((np.where(is_number, rows - mean, 0.0) ** 2).sum(axis=0) / safe)
        found += [np.where(count > 0, side, np.nan) for side in (mean, deviation)]
    if not found:
        raise ConfigError(f"Extractor `{extractor}` gives no array; choose other --features.")
    return np.concatenate(found).astype(np.float32)
