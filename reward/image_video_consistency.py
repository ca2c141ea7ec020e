"""Whether a clip fits the image it was made from, as the anime reward has it."""

from anisora.harness.errors import VideoUnreadable
from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import unscored
from anisora.reward.mode import frames_of, named, read_mode
from anisora.reward.regressor_score import LICENCE, regressor_score

__all__ = ["ImageVideoConsistency"]


class ImageVideoConsistency:
    """What a regressor says of the frames and the conditioning image at the beginning."""

    def __init__(self, mode: str = "reference") -> None:
        """Choose how the image is prepared.

        Args:
            mode: ``reference`` squashes the whole image to a square and looks at the first 144 frames; ``corrected``
                first cuts the image's centre to the shape of the clip, and looks at all of the clip.

        Raises:
            ConfigError: There is no such mode.
        """
        chosen = read_mode(mode)
        self.info = MetricInfo(
            name=named("image_video_consistency", chosen),
            title="Image-video consistency",
            version=1,
            direction="higher",
            value_range=(0.0, 1.0),
            requests=(
                FeatureRequest(extractor="image_video_regressor", sampling=frames_of(chosen)),
                FeatureRequest(
                    extractor=named("image_video_regressor_images", chosen),
                    sampling=FrameSampling(mode="uniform", count=1),
                ),
            ),
            source="AniSora, reward/models/blip_pretrain.py, BLIP_Pretrain.inference",
            group="reward",
            needs=frozenset({"keyframes"}),
            licence=LICENCE,
            commercial_use=False,
            mode=chosen,
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has the score that each frame would have alone.

        Returns:
            Value in 0..1, or None where no image is placed at the beginning, or an image cannot be read.
        """
        frames, images = self.info.requests
        positions = item.sample.condition.positions
        if 0.0 not in positions:
            return unscored(
                item,
                f"no image is at position 0; the images are at {list(positions)}: add the first frame to the manifest",
            )
        added = features.get(item, frames.extractor, frames.sampling)["logit"]
        try:
            keys = features.get(item, images.extractor, images.sampling)["logit"]
        except VideoUnreadable as error:  # not the clip's fault, whose frames were read
            return unscored(
                item,
                f"a conditioning image cannot be read ({error.reason}: {error.detail}); replace the file",
            )
        return regressor_score(item, added, float(keys[0, positions.index(0.0)]))
