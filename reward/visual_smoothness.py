"""How smoothly a clip moves, by a judge of the anime reward."""

from anisora.reward.judge.judged_score import JudgedScore

__all__ = ["VisualSmoothness"]


class VisualSmoothness(JudgedScore):
    """The judge that was trained on ratings of smoothness."""

    def __init__(self, mode: str = "reference") -> None:
        """Choose the head.

        Args:
            mode: ``reference``, in bfloat16 and rounded as released, of the first 144 frames, or ``corrected``, in
                float32, of the whole clip.

        Raises:
            ConfigError: It is neither.
        """
        source = "AniSora, reward/reward_infer.py, smooth_score"
        super().__init__("visual_smoothness", "Visual smoothness", "idefics2_smooth", source, mode, min_frames=2)
