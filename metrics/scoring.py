"""How a metric says what it found, or why it found nothing."""

from collections.abc import Mapping, Sequence

from anisora.harness.types import Generation, Score

__all__ = ["scored", "unscored"]


def scored(
    item: Generation, value: float, *, parts: Mapping[str, Sequence[float]] | None = None, note: str = ""
) -> Score:
    """Return the score of a clip in natural units, with its parts."""
    return Score(sample_id=item.sample.id, seed=item.seed, value=float(value), parts=dict(parts or {}), note=note)


def unscored(item: Generation, reason: str) -> Score:
    """Return the score of a clip to which the metric does not apply: None, with reason and next step."""
    return Score(sample_id=item.sample.id, seed=item.seed, value=None, note=reason)
