"""What the frames of a clip add to the score of the image-video regressor."""

from anisora.reward.extractors.regressor_frames import RegressorFrames
from anisora.reward.networks.consistency_regressor import ConsistencyRegressor

__all__ = ["ImageVideoRegressor"]


class ImageVideoRegressor(RegressorFrames):
    """Of the network whose key is a picture."""

    def __init__(self, *, network: ConsistencyRegressor | None = None) -> None:
        """Take a network in place of the ledger's."""
        super().__init__("image_video_regressor", "image", network)
