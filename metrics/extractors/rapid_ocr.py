"""Lines of text in frames."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.local.text_reader import DISTRIBUTIONS, PREPROCESS, WEIGHTS, TextReader, line_texts

__all__ = ["RapidOcr"]


class RapidOcr:
    """Per frame: ``quads``, ``confidence`` and ``codepoints`` of up to 16 lines of text."""

    info = ExtractorInfo(
        name="rapid_ocr",
        version=1,
        window=1,
        preprocess=PREPROCESS,
        weights=(WEIGHTS,),
        extra="local",
        copied_per_worker=True,
        distributions=DISTRIBUTIONS,
        summary="lines of text in each frame: place, characters, confidence",
    )

    def __init__(self) -> None:
        self._read = TextReader()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``quads`` (B, 16, 4, 2), ``confidence`` (B, 16) and ``codepoints`` (B, 16, 64)."""
        require_extra(self.info)
        rows = [self._read(frame) for frame in batch.frames[:, 0]]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def known_answer(self) -> str:
        """Read a line of white letters on a dark ground.

        Raises:
            MetricError: Something else is read.
        """
        import cv2

        require_extra(self.info)
        picture = np.full((180, 320, 3), 40, np.uint8)
        cv2.putText(picture, "ANIMATION", (60, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 2, cv2.LINE_AA)
        texts = line_texts(self._read(picture)["codepoints"])
        if [text.upper() for text in texts] != ["ANIMATION"]:
            raise MetricError(f"Extractor `{self.info.name}` reads {texts!r}; expected ['ANIMATION'].")
        return "one word, read as it was written"
