"""Whether the faces of the conditioning image are found again in the clip."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.local.picture_embedding import cosine_similarity
from anisora.metrics.scoring import scored, unscored

__all__ = ["SAME_FACE", "FaceKept", "kept_faces"]

SAME_FACE: Final = 0.65
"""Cosine from which two crops may show one face; 96 % of 110 crops of drawn faces reach it with their first frame."""


def kept_faces(wanted: NDArray[np.floating], found: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pair each wanted face with another found one, the most alike first, and return how alike they are.

    Args:
        wanted: (faces, dimensions) features of the image's faces.
        found: (others, dimensions) features of a frame's faces.

    Returns:
        (faces,) cosine with the partner, 0 where none is left.
    """
    alike = cosine_similarity(wanted[:, None], found[None]) if len(found) else np.zeros((len(wanted), 0))
    kept = np.zeros(len(wanted))
    for _ in range(min(alike.shape)):
        face, other = np.unravel_index(int(alike.argmax()), alike.shape)
        kept[face] = alike[face, other]
        alike[face, :], alike[:, other] = -np.inf, -np.inf
    return kept


class FaceKept:
    """Share of the image's faces that are found again, mean over the sampled frames."""

    info = MetricInfo(
        name="face_kept",
        title="Face kept",
        version=2,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(
            FeatureRequest(extractor="anime_faces", sampling=FrameSampling(mode="uniform", count=8)),
            FeatureRequest(extractor="anime_faces_images", sampling=FrameSampling(mode="uniform", count=1)),
        ),
        source="this project; faces found by nvxs 1.0.2 (animeface), compared by EfficientNet-Lite0 features",
        group="local",
        needs=frozenset({"keyframes"}),
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has, by frame, the share (``kept``) and the mean cosine (``similarity``).

        Returns:
            Value in 0..1, or None where no face is found in the first conditioning image.
        """
        frames, images = (features.get(item, request.extractor, request.sampling) for request in self.info.requests)
        first = int(np.argmin(item.sample.condition.positions))
        wanted = images["embedding"][0, first][images["likelihood"][0, first] > 0]
        if not len(wanted):
            return unscored(item, "no face is found in the conditioning image; choose an image with a frontal one")
        similarity = np.stack(
            [
                kept_faces(wanted, embedding[likelihood > 0])
                for embedding, likelihood in zip(frames["embedding"], frames["likelihood"], strict=True)
            ]
        )
        kept = (similarity >= SAME_FACE).mean(axis=1)
        parts = {"kept": kept.tolist(), "similarity": similarity.mean(axis=1).tolist()}
        return scored(item, kept.mean(), parts=parts)
