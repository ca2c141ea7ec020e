"""The judge of smoothness in the anime reward."""

from anisora.reward.judge.extractor import PICTURES, JudgeExtractor
from anisora.reward.judge.judge import Judge
from anisora.reward.judge.remembered_pictures import RememberedPictures

__all__ = ["Idefics2Smooth"]


class Idefics2Smooth(JudgeExtractor):
    """Says how smoothly a clip moves, given its prompt."""

    def __init__(
        self, *, mode: str = "reference", judge: Judge | None = None, pictures: RememberedPictures = PICTURES
    ) -> None:
        """Choose the number format of the head, ``reference`` or ``corrected``; take parts in place of the ledger's.

        Raises:
            ConfigError: There is no such mode.
        """
        summary = "an Idefics2-8B regressor's answer to frames and prompt: how smoothly the clip moves, about 0..100"
        super().__init__("idefics2_smooth", "idefics2-smooth", summary, mode=mode, judge=judge, pictures=pictures)
