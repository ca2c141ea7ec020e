"""How well a clip keeps its conditioning images at their places."""

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import Frames, FrameSampling, Generation, Score
from anisora.metrics.core.ssim import SSIM_WINDOW
from anisora.metrics.scoring import scored, unscored

__all__ = ["ConditionFidelity", "cover_crop", "per_image"]


def cover_crop(image: Frames, height: int, width: int) -> Frames:
    """Scale an image until it just covers a frame, keeping its shape, and cut the frame out of its centre.

    The scale is ``max(height / h, width / w)``; scaled sides are rounded to the nearest pixel (halves to
    even). Shrinking is by area (INTER_AREA), enlarging bicubic (INTER_CUBIC, a = -0.75, rounded to 8 bits).
    Where the rest to cut is odd, the pixel more goes at the bottom or right.

    Args:
        image: (h, w, 3) uint8.
        height: Of the frame.
        width: Of the frame.

    Returns:
        (height, width, 3) uint8.
    """
    import cv2

    scale = max(height / image.shape[0], width / image.shape[1])
    rows, columns = max(height, round(image.shape[0] * scale)), max(width, round(image.shape[1] * scale))
    if (rows, columns) != image.shape[:2]:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, (columns, rows), interpolation=method), np.uint8)
    top, left = (rows - height) // 2, (columns - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def per_image(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pick each image's number out of the frames by images table, where all other entries are NaN.

    Args:
        values: (frames, images), one number in each column at most.

    Returns:
        (images,); NaN for an image whose column has no number.

    Raises:
        MetricError: A column has several numbers.
    """
    present = ~np.isnan(values)
    if (present.sum(axis=0) > 1).any():
        raise MetricError(
            "Extractor `keyframe_fidelity` placed one image on several frames; expected one frame an image."
        )
    return np.where(present.any(axis=0), np.where(present, values, 0.0).sum(axis=0), np.nan)


class ConditionFidelity:
    """Mean SSIM of the conditioning images and the frames at their positions."""

    info = MetricInfo(
        name="condition_fidelity",
        title="Condition fidelity",
        version=1,
        direction="higher",
        value_range=(-1.0, 1.0),
        requests=(FeatureRequest(extractor="keyframe_fidelity", sampling=FrameSampling(mode="keyframes")),),
        source="this project; SSIM of Wang et al. 2004 on the cover-resized, centre-cropped image",
        needs=frozenset({"keyframes"}),
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has ``ssim`` and ``psnr`` (dB) of each image, in the order of the sample.

        Returns:
            Value in -1..1, or None for frames smaller than the SSIM window.
        """
        request = self.info.requests[0]
        fidelity = features.get(item, request.extractor, request.sampling)
        similarity, decibels = per_image(fidelity["ssim"]), per_image(fidelity["psnr"])
        if np.isnan(similarity).any():
            stream = features.stream(item)
            return unscored(
                item,
                f"the frames are {stream.width}x{stream.height}; SSIM needs at least "
                f"{SSIM_WINDOW}x{SSIM_WINDOW} pixels",
            )
        parts = {"ssim": similarity.tolist(), "psnr": decibels.tolist()}
        return scored(item, similarity.mean(), parts=parts)
