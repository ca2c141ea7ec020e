"""How sure ActionCLIP is that the protagonist moves a lot, as a dimension of the anime reward."""

from typing import Final

from anisora.harness.protocols import FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling
from anisora.metrics.vbench.motion_score import MotionScore
from anisora.reward.mode import named, read_mode

__all__ = ["VisualMotion"]

_FRAMES_SEEN: Final = 8


class VisualMotion(MotionScore):
    """The number of ``motion_score``, under the name of the reward's table, with the reward's modes.

    Whether more is better is not said: in the authors' table more motion goes with lower human scores.
    """

    def __init__(self, mode: str = "reference") -> None:
        """Choose which frames are seen.

        Args:
            mode: ``reference``: 8 of the first 144 frames. ``corrected``: 8 from all over the clip.

        Raises:
            ConfigError: There is no such mode.
        """
        chosen = read_mode(mode)
        request = FeatureRequest(extractor="actionclip", sampling=FrameSampling(mode="reward_motion"))
        if chosen == "corrected":
            request = FeatureRequest(
                extractor="actionclip:whole=true", sampling=FrameSampling(mode="uniform", count=_FRAMES_SEEN)
            )
        self.info = MetricInfo(
            name=named("visual_motion", chosen),
            title="Visual motion",
            version=1,
            direction="reference",
            value_range=(0.0, 1.0),
            requests=(request,),
            source=MotionScore.info.source,
            group="reward",
            min_frames=2,
            licence=MotionScore.info.licence,
            commercial_use=MotionScore.info.commercial_use,
            mode=chosen,
        )
