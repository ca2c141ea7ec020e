"""The batch of all videos where only some could be given to a reward."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.protocols import RewardBatch
from anisora.harness.types import Score
from anisora.reward.reward_inputs import as_numpy

__all__ = ["spread_batch"]


def spread_batch(
    found: RewardBatch | None,
    places: Sequence[int],
    reasons: Mapping[int, str],
    *,
    dimensions: Sequence[str],
    convert: Callable[[NDArray[Any]], Any],
) -> RewardBatch:
    """Put the rows of a batch in their places, and NaN with a reason in the others.

    Args:
        found: What the reward said of the videos at ``places``; None where it said nothing.
        places: Their places.
        reasons: {place: why there is no row}, of all others, and of ``places`` where ``found`` is None.
        dimensions: Of the reward.
        convert: What makes arrays the caller's kind.
    """
    count = len(set(places) | set(reasons))

    def spread(values: Any) -> Any:  # noqa: ANN401 - arrays
        whole = np.full(count, np.nan, np.float32)
        if values is not None:
            whole[list(places)] = as_numpy(values)
        return convert(whole)

    valid = np.zeros(count, np.bool_)
    rows: list[Mapping[str, Score]] = [
        {name: Score(sample_id=str(place), seed=0, value=None, note=reasons.get(place, "")) for name in dimensions}
        for place in range(count)
    ]
    failed = [frozenset(dimensions)] * count
    if found is not None:
        valid[list(places)] = as_numpy(found.valid)
        for place, row, bad in zip(places, found.scores, found.failed, strict=True):
            rows[place], failed[place] = row, bad
    return RewardBatch(
        total=spread(None if found is None else found.total),
        dimensions={name: spread(None if found is None else found.dimensions[name]) for name in dimensions},
        valid=convert(valid),
        seconds=0.0 if found is None else found.seconds,
        scores=tuple(rows),
        failed=tuple(failed),
        decodes=0 if found is None else found.decodes,
        normalised={} if found is None else {name: spread(values) for name, values in found.normalised.items()},
    )
