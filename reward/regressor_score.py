"""How the two consistency metrics of the anime reward tell a clip's score."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Generation, Score
from anisora.metrics.scoring import scored
from anisora.reward.networks.consistency_regressor import consistency_score

__all__ = ["LICENCE", "regressor_score"]

LICENCE: Final = "Apache-2.0 with the Index-AniSora Model License Agreement"
"""Of the networks."""


def regressor_score(
    item: Generation,
    frame_logits: NDArray[np.floating],
    key_logit: float,
    *,
    parts: Mapping[str, Sequence[float]] | None = None,
) -> Score:
    """Return the score of a clip, with that of each frame alone in ``parts["frames"]``.

    Args:
        item: The clip.
        frame_logits: (frames,) what each frame adds.
        key_logit: What the image or text adds.
        parts: More of them.
    """
    alone = [consistency_score(frame_logits[place : place + 1], key_logit) for place in range(len(frame_logits))]
    return scored(item, consistency_score(frame_logits, key_logit), parts={"frames": alone, **(parts or {})})
