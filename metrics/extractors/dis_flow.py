"""Dense optical flow between consecutive frames, and what the metrics keep of it."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.core.flow_magnitude import SMALLEST_SIDE, mean_displacement
from anisora.metrics.core.line_stability import line_strength, pair_line_stability
from anisora.metrics.core.warping_error import Correspondence, pair_warping_error

__all__ = ["SHORT_SIDE", "DisFlow", "dense_flow", "luma_of", "working_frame"]

SHORT_SIDE: Final = 256
"""Short side of the frames that flow is computed on; smaller frames keep their size."""


def working_frame(frame: Frames) -> Frames:
    """Shrink a frame to a short side of 256 by area; a smaller one is returned as it is.

    Args:
        frame: (H, W, 3) uint8.
    """
    import cv2

    height, width, _ = frame.shape
    scale = SHORT_SIDE / min(height, width)
    if scale >= 1:
        return frame
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def luma_of(frame: Frames) -> NDArray[np.uint8]:
    """Return the BT.601 luma of a frame, (H, W) uint8."""
    import cv2

    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def dense_flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the flow from one luma plane to another (Kroeger et al. 2016, OpenCV's DIS, preset MEDIUM).

    Args:
        first: (H, W) uint8, both sides at least SMALLEST_SIDE.
        second: (H, W) uint8.

    Returns:
        (H, W, 2), x and y in pixels; zero for equal planes, which is also what DIS finds for them.
    """
    import cv2

    if np.array_equal(first, second):
        return np.zeros((*first.shape, 2), np.float32)
    # A new object each time: one object's buffers are shared by all who call it, and are not safe between
    # threads.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(method.calc(first, second, None), np.float32)  # type: ignore[call-overload]


class DisFlow:
    """Flow both ways between consecutive frames.

    Per pair: ``displacement``, the mean length of the forward flow in frame diagonals; ``warping_error``,
    E_pair of Lai et al. 2018, NaN if no pixel is visible; ``visible``, the share of pixels that are;
    ``line_stability``, how far dark lines stay the same, NaN if there is none. All NaN for tiny frames.
    """

    info = ExtractorInfo(
        name="dis_flow",
        version=2,
        window=2,
        preprocess=f"rgb8-short{SHORT_SIDE}-area-luma8-bt601-dis-medium",
        summary="DIS optical flow both ways: displacement, warping error, visible share, line stability",
    )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``displacement``, ``warping_error``, ``visible`` and ``line_stability``, each (B,) float64."""
        rows = np.array([_follow(first, second) for first, second in batch.frames], np.float64)
        return dict(zip(("displacement", "warping_error", "visible", "line_stability"), rows.T, strict=True))


def _follow(first: Frames, second: Frames) -> tuple[float, float, float, float]:
    # On smaller wide frames DIS (seen in OpenCV 5.0) leaves its own buffers and the process dies.
    if min(first.shape[:2]) < SMALLEST_SIDE:
        return (float("nan"),) * 4
    is_held = np.array_equal(first, second)
    first = working_frame(first)
    luma = luma_of(first)
    if is_held:  # anime is full of held frames: what the long way gives
        return 0.0, 0.0, 1.0, 1.0 if len(np.unique(line_strength(luma))) > 1 else float("nan")
    second = working_frame(second)
    next_luma = luma_of(second)
    forward, backward = dense_flow(luma, next_luma), dense_flow(next_luma, luma)
    pair = Correspondence(forward, backward)
    error, visible = pair_warping_error(first, second, pair)
    return mean_displacement(forward), error, visible, pair_line_stability(luma, next_luma, pair)
