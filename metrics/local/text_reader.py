"""Lines of text in a picture: PP-OCRv6 through RapidOCR, detection and recognition."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames
from anisora.harness.weights import weight_file
from anisora.metrics.local.working_size import scaled_to

__all__ = ["DISTRIBUTIONS", "LONGEST_LINE", "MOST_LINES", "PREPROCESS", "WEIGHTS", "TextReader", "line_texts"]

DISTRIBUTIONS: Final = ("rapidocr", "onnxruntime")
WEIGHTS: Final = "pp-ocrv6-small"
LONG_SIDE: Final = 480
MOST_LINES: Final = 16
LONGEST_LINE: Final = 64
"""Characters that are kept of a line."""

CONFIDENCE: Final = 0.5
"""Of the recognition; what is detected alone is often hair, a fence or a leaf."""

PREPROCESS: Final = f"rgb8-long{LONG_SIDE}-area-cubic-box0.5-unclip1.6-text{CONFIDENCE}"


class TextReader:
    """The two networks; their files are read with the first picture."""

    def __init__(self) -> None:
        self._engine: Any = None

    def __call__(self, picture: Frames) -> dict[str, NDArray[Any]]:
        """Read a picture.

        Args:
            picture: (H, W, 3) uint8 RGB; looked at with a long side of 480 pixels.

        Returns:
            ``quads`` (16, 4, 2) float32, corners of each line (x, y) as shares of width and height, NaN where there
            is no line; ``confidence`` (16,) float32, 0.5..1, or 0 where there is none; ``codepoints`` (16, 64)
            uint32, the line's characters, filled up with 0. Of more than 16 lines the largest are kept.
        """
        if self._engine is None:
            self._engine = _load()
        scaled = scaled_to(picture, LONG_SIDE)
        # All three are named in each call: the engine goes on with what it was told last.
        found = self._engine(np.ascontiguousarray(scaled[..., ::-1]), use_det=True, use_cls=False, use_rec=True)
        lines = _largest(found.boxes, found.txts, found.scores) if found.txts else []
        quads = np.full((MOST_LINES, 4, 2), np.nan, np.float32)
        confidence = np.zeros(MOST_LINES, np.float32)
        codepoints = np.zeros((MOST_LINES, LONGEST_LINE), np.uint32)
        for row, (quad, text, score) in enumerate(lines):
            quads[row] = np.clip(quad / (scaled.shape[1], scaled.shape[0]), 0, 1)
            confidence[row] = score
            points = [ord(character) for character in text[:LONGEST_LINE]]
            codepoints[row, : len(points)] = points
        return {"quads": quads, "confidence": confidence, "codepoints": codepoints}


def line_texts(codepoints: NDArray[np.integer]) -> list[str]:
    """Return the lines that a table of code points holds, leaving out rows without any.

    Args:
        codepoints: (lines, 64).
    """
    texts = ["".join(map(chr, row[row > 0].tolist())) for row in np.asarray(codepoints)]
    return [text for text in texts if text]


def _largest(boxes: Any, texts: Any, scores: Any) -> list[tuple[NDArray[np.float64], str, float]]:  # noqa: ANN401
    import cv2

    quads = [np.asarray(box, np.float64) for box in boxes]
    lines = sorted(
        zip(quads, texts, scores, strict=True), key=lambda line: -cv2.contourArea(line[0].astype(np.float32))
    )
    return [(quad, str(text), float(score)) for quad, text, score in lines if text][:MOST_LINES]


def _load() -> Any:  # noqa: ANN401 - the package has no types
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": CONFIDENCE,
            "Global.use_cls": False,
            "Det.model_path": str(weight_file(WEIGHTS, "det_small.onnx")),
            "Rec.model_path": str(weight_file(WEIGHTS, "rec_small.onnx")),
            "Det.limit_side_len": LONG_SIDE,
            "Det.limit_type": "max",
            "Det.box_thresh": 0.5,
            "Det.unclip_ratio": 1.6,
            **threads,
        }
    )
