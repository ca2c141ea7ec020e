"""The judge of appeal in the anime reward."""

from anisora.reward.judge.extractor import PICTURES, JudgeExtractor
from anisora.reward.judge.judge import Judge
from anisora.reward.judge.remembered_pictures import RememberedPictures

__all__ = ["Idefics2Appeal"]


class Idefics2Appeal(JudgeExtractor):
    """Says how good a clip looks, given its prompt."""

    def __init__(
        self, *, mode: str = "reference", judge: Judge | None = None, pictures: RememberedPictures = PICTURES
    ) -> None:
        """Choose the number format of the head, ``reference`` or ``corrected``; take parts in place of the ledger's.

        Raises:
            ConfigError: There is no such mode.
        """
        summary = "an Idefics2-8B regressor's answer to frames and prompt: how good the clip looks, about 0..100"
        super().__init__("idefics2_appeal", "idefics2-appeal", summary, mode=mode, judge=judge, pictures=pictures)
