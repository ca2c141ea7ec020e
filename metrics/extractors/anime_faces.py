"""Faces in frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.local.face_finder import DISTRIBUTIONS, PREPROCESS, WEIGHTS, FaceFinder

__all__ = ["AnimeFaces"]


class AnimeFaces:
    """Per frame: ``boxes``, ``likelihood`` and ``embedding`` of up to four faces."""

    info = ExtractorInfo(
        name="anime_faces",
        version=2,
        window=1,
        preprocess=PREPROCESS,
        weights=WEIGHTS,
        extra="local",
        copied_per_worker=True,
        distributions=DISTRIBUTIONS,
        summary="anime faces in each frame: place, likelihood, EfficientNet-Lite0 features of the crop",
    )

    def __init__(self) -> None:
        self._find = FaceFinder()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``boxes`` (B, 4, 4), ``likelihood`` (B, 4) and ``embedding`` (B, 4, 1280)."""
        require_extra(self.info)
        rows = [self._find(frame) for frame in batch.frames[:, 0]]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def known_answer(self) -> str:
        """Find the one face of a drawn close-up, and none in an empty picture.

        Raises:
            MetricError: It finds more or fewer.
        """
        from anisora.harness.render import Scene, render

        require_extra(self.info)
        drawn = render(Scene(action="talk", seed=24, num_frames=1))[0]
        found = [int((self._find(picture)["likelihood"] > 0).sum()) for picture in (drawn, np.full_like(drawn, 200))]
        if found != [1, 0]:
            raise MetricError(
                f"Extractor `{self.info.name}` finds {found[0]} faces in a drawn close-up and {found[1]} in an empty "
                "picture; expected 1 and 0."
            )
        return "one face in a drawn close-up, none in an empty picture"
