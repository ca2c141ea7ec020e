"""How alike a clip stays to the image it was to begin with."""

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.local.picture_embedding import cosine_similarity
from anisora.metrics.scoring import scored, unscored

__all__ = ["FirstFrameFeatureSimilarity"]


class FirstFrameFeatureSimilarity:
    """Mean cosine of the features of the sampled frames and of the image at the beginning."""

    info = MetricInfo(
        name="first_frame_feature_similarity",
        title="First frame feature similarity",
        version=1,
        direction="higher",
        value_range=(-1.0, 1.0),
        requests=(
            FeatureRequest(extractor="efficientnet_lite0", sampling=FrameSampling(mode="uniform", count=16)),
            FeatureRequest(extractor="efficientnet_lite0_images", sampling=FrameSampling(mode="uniform", count=1)),
        ),
        source="this project; features of EfficientNet-Lite0 of each frame and of the cover-resized image",
        group="local",
        needs=frozenset({"keyframes"}),
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has the similarity of each sampled frame.

        Returns:
            Value in -1..1, or None where no image is placed at the beginning.
        """
        positions = item.sample.condition.positions
        if 0.0 not in positions:
            return unscored(item, f"no image is at position 0; the images are at {list(positions)}")
        frames, images = (
            features.get(item, request.extractor, request.sampling)["embedding"] for request in self.info.requests
        )
        similarity = cosine_similarity(frames, images[0, positions.index(0.0)])
        return scored(item, similarity.mean(), parts={"frames": similarity.tolist()})
