"""What the frames of a clip add to the score of the text-video regressor."""

from anisora.reward.extractors.regressor_frames import RegressorFrames
from anisora.reward.networks.consistency_regressor import ConsistencyRegressor

__all__ = ["TextVideoRegressor"]


class TextVideoRegressor(RegressorFrames):
    """Of the network whose key is a text."""

    def __init__(self, *, network: ConsistencyRegressor | None = None) -> None:
        """Take a network in place of the ledger's."""
        super().__init__("text_video_regressor", "text", network)
