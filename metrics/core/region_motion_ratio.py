"""Whether what moves is where it should: motion inside a region against motion outside."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, Features, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score, StreamInfo
from anisora.metrics.core.flow_magnitude import flow_obstacle
from anisora.metrics.scoring import scored, unscored

__all__ = [
    "LEAST_OUTSIDE",
    "STILL_BELOW",
    "RegionMotionRatio",
    "camera_motion",
    "mask_in_frame",
    "region_obstacle",
    "residual_motion",
]

LEAST_OUTSIDE: Final = 0.05
"""Least share of the frame outside the region, from which the camera's motion is told."""

STILL_BELOW: Final = 0.1
"""Pixels a frame, on the frames that flow is computed for, below which a pixel counts as still."""

_FIT_PIXELS: Final = 4096
_FIT_ROUNDS: Final = 6
_FIT_SEED: Final = 0
_FIT_STARTS: Final = 64


def mask_in_frame(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Lay a mask over a frame as `condition_fidelity` lays a conditioning image: just covering it, centred.

    The scale is ``max(height / h, width / w)``; each pixel of the frame takes the mask's pixel under its centre.

    Args:
        mask: (h, w).
        height: Of the frame.
        width: Of the frame.

    Returns:
        (height, width).
    """
    scale = max(height / mask.shape[0], width / mask.shape[1])
    rows, columns = (
        np.clip(np.floor((np.arange(side) + 0.5 - side / 2) / scale + own / 2), 0, own - 1).astype(np.int64)
        for side, own in zip((height, width), mask.shape, strict=True)
    )
    placed: NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return placed


def camera_motion(flow: NDArray[np.float64], outside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the simplest motion of the camera that explains half of the flow.

    That is none, if the flow is shorter than 0.1 pixels in half of the frame or half of the outside; else the median
    flow of the outside, if it leaves less than 0.1 pixels in half of it; else an affine motion, ``u = a + b x + c y``
    and v alike, by least trimmed squares (Rousseeuw 1984): of 64 motions through three pixels each, drawn with a fixed
    seed, the one with the least median of squares is taken, and six times fitted again to the half of the outside that
    the last fit leaves least of. Up to half of the outside may move by itself.

    Args:
        flow: (H, W, 2) in pixels.
        outside: (H, W), with at least one pixel; 4096 to 8192 of them, evenly spread, are used where there are more.

    Returns:
        (H, W, 2) in pixels.
    """
    height, width = outside.shape
    camera: NDArray[np.float64] = np.zeros_like(flow)
    if _is_mostly_still(flow) or _is_mostly_still(flow[outside]):
        return camera
    places = np.flatnonzero(outside)
    places = places[:: max(1, len(places) // _FIT_PIXELS)]
    observed = flow.reshape(-1, 2)[places]
    middle = np.median(observed, axis=0)
    if _is_mostly_still(observed - middle):
        camera += middle
        return camera
    y, x = (np.linspace(-1.0, 1.0, side) for side in (height, width))
    design = np.stack([np.ones(len(places)), x[places % width], y[places // width]], axis=1)
    triples = np.random.default_rng(_FIT_SEED).integers(0, len(places), (_FIT_STARTS, 3))
    starts = np.linalg.pinv(design[triples]) @ observed[triples]
    medians = [np.median(_squared_length(observed - design @ start)) for start in starts]
    fitted = starts[int(np.argmin(medians))]
    for _ in range(_FIT_ROUNDS):
        left = _squared_length(observed - design @ fitted)
        chosen = left <= np.median(left)
        fitted = np.linalg.lstsq(design[chosen], observed[chosen], rcond=None)[0]
    camera += fitted[0] + x[None, :, None] * fitted[1] + y[:, None, None] * fitted[2]
    return camera


def _is_mostly_still(flow: NDArray[np.float64]) -> bool:
    return bool(np.median(_squared_length(flow)) < STILL_BELOW**2)


def _squared_length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.square(vectors).sum(axis=-1)
    return squares


def residual_motion(
    flow: NDArray[np.float32], inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the mean motion inside and outside a region that is not the camera's, in diagonals of the frame.

    Args:
        flow: (H, W, 2) in pixels.
        inside: (H, W) the region, with at least one pixel.
        outside: (H, W) what is clear of it, with at least one pixel.

    Returns:
        Mean lengths of what the camera's motion leaves, from 0 upwards; lengths below 0.1 pixels count as 0.
    """
    own = flow.astype(np.float64)
    own -= camera_motion(own, outside)
    lengths = np.hypot(own[..., 0], own[..., 1])
    lengths[lengths < STILL_BELOW] = 0.0
    lengths /= np.hypot(*inside.shape)
    return float(lengths[inside].mean()), float(lengths[outside].mean())


def region_obstacle(motion: Features, stream: StreamInfo) -> str | None:
    """Return why motion cannot be told by region, or None if it can.

    Args:
        motion: The features of `region_motion`.
        stream: The clip's.
    """
    inside, outside = float(motion["inside_share"][0]), float(motion["outside_share"][0])
    if inside == 0.0:
        return "the region mask marks no pixel of the frame; the region that is to move must be white"
    if outside < LEAST_OUTSIDE:
        return (
            f"{outside:.1%} of the frame is clear of the region mask; at least {LEAST_OUTSIDE:.0%} is needed to tell "
            "the camera's motion"
        )
    return flow_obstacle(motion["inside"], stream.height, stream.width)


class RegionMotionRatio:
    """Motion inside the region against all motion, both as means over their pixels and without the camera's."""

    info = MetricInfo(
        name="region_motion_ratio",
        title="Region motion",
        version=1,
        direction="higher",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="region_motion", sampling=FrameSampling()),),
        source="this project; flow of Kroeger et al. 2016, arXiv 1603.03590",
        needs=frozenset({"region_mask"}),
        min_frames=2,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has ``inside`` and ``outside``, the speeds of each pair in diagonals per second.

        Returns:
            Value in 0..1, 0 where nothing moves; None for a mask without inside or outside, or tiny frames.
        """
        stream = features.stream(item)
        request = self.info.requests[0]
        motion = features.get(item, request.extractor, request.sampling)
        if reason := region_obstacle(motion, stream):
            return unscored(item, reason)
        speeds = {name: motion[name] * stream.fps for name in ("inside", "outside")}
        inside, outside = (float(speed.mean()) for speed in speeds.values())
        parts = {name: speed.tolist() for name, speed in speeds.items()}
        if inside + outside == 0.0:
            return scored(item, 0.0, parts=parts, note="nothing moves, inside the region or outside")
        return scored(item, inside / (inside + outside), parts=parts)
