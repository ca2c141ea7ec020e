"""On ones, twos or threes: for how many frames a drawing is held."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.core.held_frame_ratio import held_pairs
from anisora.metrics.scoring import scored, unscored

__all__ = ["LONGER", "AnimationTiming", "counted_holds", "hold_lengths", "shares"]

LONGER: Final = 4
"""Holds of this many frames and more are one class."""

_CLASSES: Final = ("ones", "twos", "threes", "longer")


def hold_lengths(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for how many frames each drawing is shown, in time order.

    Args:
        held: (frames - 1,) whether a frame and the next show one drawing.

    Returns:
        (drawings,) summing up to the number of frames.
    """
    starts = np.flatnonzero(np.concatenate([[True], ~held]))
    return np.diff(starts, append=len(held) + 1).astype(np.int64)


def counted_holds(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out the holds that the ends of the clip cut short.

    The first and the last drawing may have been held for longer than can be seen. They count only where what is seen
    suffices for the longest class.

    Args:
        lengths: (drawings,) of `hold_lengths`.
    """
    whole = np.ones(len(lengths), np.bool_)
    whole[[0, -1]] = False
    counted: NDArray[np.int64] = lengths[whole | (lengths >= LONGER)]
    return counted


def shares(lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of frames that belong to holds of 1, 2, 3, and 4 or more frames.

    Args:
        lengths: (holds,), at least one.

    Returns:
        (4,) summing up to 1.
    """
    frames = np.bincount(np.minimum(lengths, LONGER) - 1, weights=lengths, minlength=LONGER)
    portions: NDArray[np.float64] = frames / frames.sum()
    return portions


class AnimationTiming:
    """The hold length that most frames belong to: 1 on ones, 2 on twos, 3 on threes, 4 for four frames and more."""

    info = MetricInfo(
        name="animation_timing",
        title="Animation timing",
        version=1,
        direction="reference",
        value_range=(1.0, float(LONGER)),
        requests=(FeatureRequest(extractor="drawing_change", sampling=FrameSampling()),),
        source="this project; threshold measured on rendered clips after H.264",
        min_frames=4,
        unit="frames",
    )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip.

        ``parts`` has ``ones``, ``twos``, ``threes`` and ``longer``, the share of frames in holds of that length,
        ``mean_hold``, the mean of the counted holds in frames, and ``holds``, the length of every hold.

        Returns:
            1, 2, 3 or 4, or None where no hold is seen whole.
        """
        request = self.info.requests[0]
        differences = features.get(item, request.extractor, request.sampling)["largest_cell"]
        lengths = hold_lengths(held_pairs(differences))
        counted = counted_holds(lengths)
        if not len(counted):
            return unscored(
                item, f"the clip's {len(differences) + 1} frames show no drawing from beginning to end; score more"
            )
        portions = shares(counted)
        parts = {name: [portion] for name, portion in zip(_CLASSES, portions.tolist(), strict=True)}
        parts |= {"mean_hold": [float(counted.mean())], "holds": lengths.astype(np.float64).tolist()}
        note = "the clip is still: one drawing is held throughout" if len(lengths) == 1 else ""
        # Of equal shares the first, which is the shortest hold, is taken.
        return scored(item, float(portions.argmax()) + 1.0, parts=parts, note=note)
