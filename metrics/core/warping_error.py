"""What is left of a frame's difference to the next one when motion is taken out (Lai et al. 2018)."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import Frames, FrameSampling, Generation, Score
from anisora.metrics.core.flow_magnitude import flow_obstacle
from anisora.metrics.scoring import scored, unscored

__all__ = ["Correspondence", "WarpingError", "mean_error", "pair_warping_error", "returning_pixels", "visible_pixels"]


class Correspondence:
    """Where the pixels of a frame lie in the next one: what a flow points at can be fetched, as often as needed."""

    def __init__(self, forward: NDArray[np.floating], backward: NDArray[np.floating] | None = None) -> None:
        """Work out the places once.

        Args:
            forward: (H, W, 2) flow from the frame to the next, x and y in pixels.
            backward: (H, W, 2) flow from the next frame back; needed for ``returned``.
        """
        height, width, _ = forward.shape
        self.forward = np.ascontiguousarray(forward.transpose(2, 0, 1), np.float64)
        """(2, H, W)"""
        x = np.arange(width)[None] + self.forward[0]
        y = np.arange(height)[:, None] + self.forward[1]
        self.inside: NDArray[np.bool_] = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        """(H, W) whether the flow stays inside the frame."""
        np.clip(x, 0, width - 1, out=x)
        np.clip(y, 0, height - 1, out=y)
        # The corner is kept off the last row and column, so that its right and lower neighbours exist.
        left, top = np.minimum(x.astype(np.int64), width - 2), np.minimum(y.astype(np.int64), height - 2)
        x -= left
        y -= top
        corner = top * width + left
        self._corners = (corner, corner + 1, corner + width, corner + width + 1)
        self._right, self._lower, self._left, self._upper = x, y, 1.0 - x, 1.0 - y
        self._backward = backward

    @cached_property
    def returned(self) -> NDArray[np.float64]:
        """(2, H, W) the flow back, from where the forward flow points.

        Raises:
            MetricError: No flow back was given.
        """
        if self._backward is None:
            raise MetricError("`Correspondence` got no `backward` flow; give the flow from the next frame back.")
        return self.fetch(self._backward.transpose(2, 0, 1))

    def fetch(self, planes: NDArray[Any]) -> NDArray[np.float64]:
        """Fetch values of the next frame from where the flow points, between pixels bilinearly.

        Args:
            planes: (C, H, W).

        Returns:
            (C, H, W), taken from the nearest edge where the flow leaves the frame.
        """
        found = np.empty(planes.shape, np.float64)
        for plane, into in zip(planes, found, strict=True):
            values = np.ascontiguousarray(plane, np.float64).reshape(-1)
            # All places lie inside; "clip" only spares the check.
            upper, lower = (
                values.take(self._corners[place], mode="clip") * self._left
                + values.take(self._corners[place + 1], mode="clip") * self._right
                for place in (0, 2)
            )
            upper *= self._upper
            lower *= self._lower
            np.add(upper, lower, out=into)
        return found


def returning_pixels(forward: NDArray[np.float64], returned: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell for which pixels going there and back returns (Ruder et al. 2016, eq. 5).

    ``|w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5``

    Args:
        forward: (2, H, W) the flow w from this frame to the next, in pixels.
        returned: (2, H, W) the flow w' back, fetched from where the forward flow points.

    Returns:
        (H, W).
    """
    tolerated = 0.01 * (_squared_length(forward) + _squared_length(returned)) + 0.5
    returns: NDArray[np.bool_] = _squared_length(forward + returned) <= tolerated
    return returns


def visible_pixels(forward: NDArray[np.float64], returned: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which pixels of a frame can still be seen in the next one.

    A pixel is left out where going there and back does not return (Ruder et al. 2016, eq. 5),
    ``|w + w'|^2 > 0.01 (|w|^2 + |w'|^2) + 0.5``, and at motion boundaries (eq. 6),
    ``|grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002``, gradients being differences to the next pixel.

    Args:
        forward: (2, H, W) the flow w = (u, v) from this frame to the next, in pixels.
        returned: (2, H, W) the flow w' back, fetched from where the forward flow points.

    Returns:
        (H, W).
    """
    length = _squared_length(forward)
    gradient = np.zeros_like(length)
    gradient[:, :-1] += _squared_length(np.diff(forward, axis=2))
    gradient[:-1] += _squared_length(np.diff(forward, axis=1))
    is_smooth = gradient <= 0.01 * length + 0.002
    visible: NDArray[np.bool_] = returning_pixels(forward, returned) & is_smooth
    return visible


def _squared_length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return u^2 + v^2 of (2, H, W)."""
    squares: NDArray[np.float64] = vectors[0] * vectors[0] + vectors[1] * vectors[1]
    return squares


def pair_warping_error(first: Frames, second: Frames, pair: Correspondence) -> tuple[float, float]:
    """Return E_pair of two frames (Lai et al. 2018) and the share of pixels that it is taken over.

    The second frame is warped to the first by the forward flow; the squared difference, RGB in 0..1, is
    averaged over the visible pixels and over the three channels, as the authors' code does (the printed
    equation sums the channels and is 3 times this). Pixels whose flow leaves the frame have nothing to be
    compared with and are not visible.

    Args:
        first: (H, W, 3) uint8.
        second: (H, W, 3) uint8.
        pair: Of the first frame's pixels in the second, with the flow back.

    Returns:
        The error, 0..1, NaN if no pixel is visible; and the visible share, 0..1.
    """
    visible = pair.inside & visible_pixels(pair.forward, pair.returned)
    count = int(np.count_nonzero(visible))
    if not count:
        return float("nan"), 0.0
    found = pair.fetch(second.transpose(2, 0, 1))
    squares = sum(float(np.square(found[channel] - first[..., channel])[visible].sum()) for channel in range(3))
    return squares / (3 * count * 255.0**2), count / visible.size


def mean_error(errors: NDArray[np.float64]) -> tuple[float | None, int]:
    """Average the errors of the pairs that have visible pixels.

    Args:
        errors: (pairs,) with NaN where no pixel is visible.

    Returns:
        E_warp, None if no pair is left, and the number of pairs that it is taken over.
    """
    usable = errors[~np.isnan(errors)]
    return (float(usable.mean()) if len(usable) else None), len(usable)


class WarpingError:
    """Mean over pairs of frames of the warping error; pairs with no visible pixel are left out."""

    info = MetricInfo(
        name="warping_error",
        title="Warping error",
        version=1,
        direction="lower",
        value_range=(0.0, 1.0),
        requests=(FeatureRequest(extractor="dis_flow", sampling=FrameSampling()),),
        source="Lai et al. 2018, arXiv 1808.00449, E_warp; occlusion: Ruder et al. 2016, arXiv 1604.08610",
        min_frames=2,
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts`` has ``pairs``, errors (NaN where left out), and ``visible``, shares.

        Returns:
            Value in 0..1, or None for tiny frames or without any visible pixel.
        """
        stream = features.stream(item)
        request = self.info.requests[0]
        flow = features.get(item, request.extractor, request.sampling)
        if reason := flow_obstacle(flow["displacement"], stream.height, stream.width):
            return unscored(item, reason)
        errors, shares = flow["warping_error"], flow["visible"]
        value, usable = mean_error(errors)
        if value is None:
            return unscored(item, "no pixel can be followed to a next frame; check that the clip is one shot")
        note = "" if usable == len(errors) else f"{usable} of {len(errors)} pairs have visible pixels"
        parts = {"pairs": errors.tolist(), "visible": shares.tolist()}
        return scored(item, value, parts=parts, note=note)
