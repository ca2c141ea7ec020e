"""BRISQUE of frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError, WeightsMissing
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.harness.weights import weight_file
from anisora.metrics.local.technical_quality_brisque import SMALLEST_SIDE, SUPPORT_SIZE, brisque_features, regress

__all__ = ["Brisque"]

_WEIGHTS = "brisque-live"


class Brisque:
    """Per frame: ``brisque``, NaN for frames that are small or flat."""

    info = ExtractorInfo(
        name="brisque",
        version=1,
        window=1,
        preprocess="luma8-bt601",
        weights=(_WEIGHTS,),
        summary="BRISQUE of each frame's luma",
    )

    def __init__(self) -> None:
        self._table: NDArray[np.float64] | None = None

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``brisque`` (B,) float64."""
        return {"brisque": np.array([self._score(frame) for frame in batch.frames[:, 0]], np.float64)}

    def _score(self, frame: Frames) -> float:
        import cv2

        if self._table is None:
            self._table = _read_table()
        if min(frame.shape[:2]) < SMALLEST_SIDE:
            return float("nan")
        features = brisque_features(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8))
        return float("nan") if features is None else regress(features, self._table[:, 1:], self._table[:, 0])

    def known_answer(self) -> str:
        """Score a drawing, and the same drawing blurred.

        Raises:
            MetricError: The blurred one is not worse.
        """
        import cv2

        from anisora.harness.render import Scene, render

        drawn = render(Scene(action="pan", seed=1, num_frames=1, width=640, height=360))[0]
        sharp, blurred = self._score(drawn), self._score(np.asarray(cv2.GaussianBlur(drawn, (0, 0), 2.0), np.uint8))
        if not blurred > sharp:
            raise MetricError(
                f"Extractor `{self.info.name}` gives {sharp:.1f} to a drawing and {blurred:.1f} to its blurred copy; "
                "expected more for the copy."
            )
        return f"{sharp:.1f}, and {blurred:.1f} when blurred"


def _read_table() -> NDArray[np.float64]:
    """Return (support vectors, 1 + 36): weight and scaled features, from libsvm's text format."""
    path = weight_file(_WEIGHTS)
    _, _, body = path.read_text(encoding="ascii").partition("SV\n")
    rows = [[float(part.rpartition(":")[2]) for part in line.split()] for line in body.splitlines()]
    if {len(row) for row in rows} != {1 + SUPPORT_SIZE}:
        raise WeightsMissing(f"Weights `{path}` are no table of {SUPPORT_SIZE} features; fetch the file again.")
    return np.array(rows, np.float64)
