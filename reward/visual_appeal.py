"""How good a clip looks, by a judge of the anime reward."""

from anisora.reward.judge.judged_score import JudgedScore

__all__ = ["VisualAppeal"]


class VisualAppeal(JudgedScore):
    """The judge that was trained on ratings of appeal; the release calls it quality."""

    def __init__(self, mode: str = "reference") -> None:
        """Choose the head.

        Args:
            mode: ``reference``, in bfloat16 and rounded as released, of the first 144 frames, or ``corrected``, in
                float32, of the whole clip.

        Raises:
            ConfigError: It is neither.
        """
        source = "AniSora, reward/reward_infer.py, quality_score"
        super().__init__("visual_appeal", "Visual appeal", "idefics2_appeal", source, mode, min_frames=1)
