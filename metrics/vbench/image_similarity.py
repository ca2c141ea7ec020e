"""How VBench-I2V compares a clip with its conditioning image, whatever network sees them."""

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.transforms import antialiased
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import scored, unscored
from anisora.metrics.vbench.similarity import clamped_cosine

__all__ = ["ImageSimilarity", "image_similarity_score"]

_Floats = NDArray[np.float64]


def image_similarity_score(image: NDArray[np.floating], frames: NDArray[np.floating]) -> tuple[float, _Floats, _Floats]:
    """Return the score of a clip, each frame's similarity to the image, and to the frame before.

    ``0.4 max q + 0.3 mean c + 0.3 min c`` with ``q`` the similarities to the image and ``c`` those of consecutive
    frames: VBench, vbench2_beta_i2v/i2v_subject.py and i2v_background.py.

    Args:
        image: (n,) features of the image.
        frames: (frames, n) features of at least two frames.

    Returns:
        Score in 0..1, (frames,) and (frames - 1,) similarities in 0..1.
    """
    to_image = clamped_cosine(frames, image[None])
    to_before = clamped_cosine(frames[1:], frames[:-1])
    value = 0.4 * to_image.max() + 0.3 * to_before.mean() + 0.3 * to_before.min()
    return float(value), to_image, to_before


class ImageSimilarity:
    """The best frame's similarity to the image, and the mean and least similarity of frames to those before."""

    def __init__(self, name: str, title: str, frames: str, images: str, resize: str) -> None:
        """Name the metric and what it sees through.

        Args:
            name: Of the metric; also of the file and the function of VBench.
            title: The same for people.
            frames: Extractor of the frames, which takes the argument ``resize``.
            images: Extractor of the conditioning images.
            resize: ``tv017``, antialiased, or ``legacy``, as torchvision did before 0.17.

        Raises:
            ConfigError: ``resize`` is neither.
        """
        is_default = antialiased(resize)
        seen = frames if is_default else f"{frames}{',' if ':' in frames else ':'}resize={resize}"
        self.info = MetricInfo(
            name=name if is_default else f"{name}:resize={resize}",
            title=title,
            version=1,
            direction="higher",
            value_range=(0.0, 1.0),
            requests=(
                FeatureRequest(extractor=seen, sampling=FrameSampling()),
                FeatureRequest(extractor=images, sampling=FrameSampling(mode="uniform", count=1)),
            ),
            source=f"VBench, vbench2_beta_i2v/{name}.py, {name}",
            group="vbench",
            needs=frozenset({"keyframes"}),
            min_frames=2,
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has the similarity of each frame to the image and to the frame before.

        Returns:
            Value in 0..1, or None where no image is placed at the beginning.
        """
        positions = item.sample.condition.positions
        if 0.0 not in positions:
            return unscored(item, f"no image is at position 0; the images are at {list(positions)}")
        frames, images = (
            features.get(item, request.extractor, request.sampling)["embedding"] for request in self.info.requests
        )
        value, to_image, to_before = image_similarity_score(images[0, positions.index(0.0)], frames)
        return scored(item, value, parts={"to_image": to_image.tolist(), "to_before": to_before.tolist()})
