"""What the conditioning images add to the score of the image-video regressor."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.metrics.core.condition_fidelity import cover_crop
from anisora.reward.extractors.regressor_frames import DISTRIBUTIONS, RECIPE, pictures, regressor
from anisora.reward.mode import Mode, read_mode
from anisora.reward.networks.consistency_regressor import WEIGHTS, ConsistencyRegressor

__all__ = ["ImageVideoRegressorImages"]

_BEFORE: Final[dict[Mode, str]] = {"reference": "", "corrected": "cover-crop-"}


class ImageVideoRegressorImages:
    """Per clip: ``logit`` of each conditioning image.

    ``reference`` squashes an image as it is. Generators cut its centre to the shape of the clip, so that image and
    frames are squashed differently; ``corrected`` makes the same cut first.
    """

    def __init__(self, mode: str = "reference", *, network: ConsistencyRegressor | None = None) -> None:
        """Choose how images are prepared.

        Args:
            mode: ``reference`` or ``corrected``.
            network: A network in place of the ledger's.

        Raises:
            ConfigError: There is no such mode.
        """
        self._mode: Mode = read_mode(mode)
        self._network = network
        self.info = ExtractorInfo(
            name="image_video_regressor_images",
            version=1,
            window=1,
            preprocess=f"{_BEFORE[self._mode]}pillow-{RECIPE.id}",
            needs=frozenset({"keyframes"}),
            reads="inputs",
            weights=(WEIGHTS["image"],),
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="what each conditioning image adds to the score of the image-video regressor of the anime reward",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``logit`` (B, images) float64, the same in each row."""
        require_extra(self.info)
        network = self._network or regressor("image")
        images = [image for _, image in batch.images]
        if self._mode == "corrected":
            images = [cover_crop(image, batch.stream.height, batch.stream.width) for image in images]
        features = [network.picture_features(pictures([image], network)) for image in images]
        logits = np.array([network.key_logits(each)[0] for each in features])
        return {"logit": np.stack([logits] * len(batch.frames))}
