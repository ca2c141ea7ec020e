"""Flow as the metrics use it, called plainly."""

import cv2
import numpy as np

from anisora.harness.types import Frames

__all__ = ["flow_of"]


def flow_of(first: Frames, second: Frames) -> np.ndarray:
    """DIS, preset MEDIUM, on luma, without any shortcut; frames of at most 256 pixels on the short side."""
    assert min(first.shape[:2]) <= 256
    planes = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*planes, None)
