"""How far scores of clips agree with people: over clips, over systems, and over pairs that people judged.

Pure functions. All statistics are those of ``harness/statistics``. Scores are turned so that greater is better before
they are compared, by the direction that the metric itself declares; a negative correlation then says that people prefer
the opposite, and is shown as it is. Dimensions are never averaged: a mean hides one that points the other way.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from anisora.harness.errors import DataError
from anisora.harness.protocols import Direction
from anisora.harness.statistics.agreement_bootstrap import AgreementInterval, agreement_intervals
from anisora.harness.statistics.cluster_bootstrap import DRAWS
from anisora.harness.statistics.linear_correlation import LinearCorrelation, pearson
from anisora.harness.statistics.proportion import clustered_proportion
from anisora.harness.statistics.rank_correlation import (
    PairwiseAccuracy,
    RankCorrelation,
    calibrated_pairwise_accuracy,
    calibrated_preference_accuracy,
    kendall,
    pairwise_accuracy,
    preference_accuracy,
    spearman,
)
from anisora.reward.ratings import ClipKey, ClipRating, Judgements, Preference

__all__ = [
    "MOST_CLIPS",
    "Agreement",
    "Level",
    "ScoredClip",
    "agreements",
    "judged_intervals",
    "rated_agreement",
    "system_agreement",
]

Level = Literal["clip", "system", "pair"]
MOST_CLIPS: Final = 5_000
"""All pairs of more clips than this take too much memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredClip:
    """What one metric says of one clip."""

    value: float | None
    """In the metric's unit, the mean over seeds; None where it could not be scored."""
    cluster: str
    """What clips have in common, such as the action or the first frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One metric against one dimension of what people said, on one level."""

    dimension: str
    metric: str
    direction: Direction
    """Of the metric; ``lower`` was turned, ``reference`` was taken as it is, since nothing says which way is better."""
    level: Level
    """``clip``: over rated clips. ``system``: over means of systems. ``pair``: over judged pairs."""
    items: int
    """Clips, systems, or judged pairs that entered."""
    clusters: int
    unscored: int
    """Judged clips, or pairs with such a clip, without a number; left out."""
    spearman: RankCorrelation | None
    """None where people judged pairs."""
    kendall: RankCorrelation | None
    pearson: LinearCorrelation | None
    accuracy: PairwiseAccuracy
    """A tie of the metric is equal numbers."""
    calibrated: PairwiseAccuracy
    """A tie of the metric is what differs by its threshold or less, which was fitted to these very pairs."""
    intervals: Mapping[str, AgreementInterval]
    """{``spearman``, ``kendall``, ``pearson``, ``accuracy``, ``accuracy_with_ties``: interval}"""


def agreements(
    judgements: Sequence[Judgements],
    scores: Mapping[str, Mapping[ClipKey, ScoredClip]],
    directions: Mapping[str, Direction],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> list[Agreement]:
    """Compare every metric with every dimension, on every level that the data have.

    Args:
        judgements: One entry a dimension.
        scores: {metric: {clip: score}}.
        directions: {metric: direction}; ``higher`` where a metric is not in it.
        draws: Of the bootstrap, at least 1000.
        seed: Of the draws.
        level: Coverage of the intervals, between 0 and 1.

    Returns:
        By dimension and metric, over clips and then, where there are two systems or more, over systems.
    """
    found = []
    for each in judgements:
        for metric, by_clip in scores.items():
            turned = directions.get(metric, "higher")
            if each.preferences:
                found.append(
                    _judged(each.dimension, each.preferences, by_clip, metric=metric, direction=turned, level=level)
                )
                continue
            found += rated_agreement(
                each.dimension,
                each.ratings,
                by_clip,
                metric=metric,
                direction=turned,
                draws=draws,
                seed=seed,
                level=level,
            )
    return found


def rated_agreement(
    dimension: str,
    ratings: Sequence[ClipRating],
    scores: Mapping[ClipKey, ScoredClip],
    *,
    metric: str,
    direction: Direction = "higher",
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> list[Agreement]:
    """Compare a metric with ratings: over clips, and over the means of systems where two or more were rated.

    Over clips, intervals resample whole clusters. Over systems each system is a cluster: below thirty there is no
    interval, and the p values are exact up to eight.

    Raises:
        DataError: There are too many clips to look at all their pairs.
    """
    kept = [(rating, scores[rating.clip]) for rating in ratings if rating.clip in scores]
    scored = [(rating, clip, merit) for rating, clip in kept if (merit := _merit(clip.value, direction)) is not None]
    if len(scored) > MOST_CLIPS:
        raise DataError(
            f"Dimension {dimension!r} has {len(scored)} rated clips; expected at most {MOST_CLIPS}, since all their "
            "pairs are compared; rate them in parts, or draw some of them."
        )
    unscored = len(ratings) - len(scored)
    people = [rating.value for rating, _, _ in scored]
    merits = [merit for _, _, merit in scored]
    clusters = [clip.cluster for _, clip, _ in scored]
    found = [
        _compared(
            people,
            merits,
            clusters,
            dimension=dimension,
            metric=metric,
            direction=direction,
            unscored=unscored,
            intervals=agreement_intervals(people, merits, clusters, draws=draws, seed=seed, level=level),
        )
    ]
    systems = sorted({rating.clip.model for rating, _, _ in scored})
    if len(systems) > 1:
        by_system = {name: [at for at, row in enumerate(scored) if row[0].clip.model == name] for name in systems}
        found.append(
            system_agreement(
                {name: _mean([people[at] for at in rows]) for name, rows in by_system.items()},
                {name: _mean([merits[at] for at in rows]) for name, rows in by_system.items()},
                dimension=dimension,
                metric=metric,
                direction=direction,
                unscored=unscored,
                level=level,
            )
        )
    return found


def system_agreement(
    people: Mapping[str, float],
    merits: Mapping[str, float],
    *,
    dimension: str,
    metric: str,
    direction: Direction = "higher",
    unscored: int = 0,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Agreement:
    """Compare one number a system with what people say of it; each system is a cluster of its own.

    Args:
        people: {system: number}, greater for better.
        merits: {system: number}, greater for better already.
        dimension: Of what people say.
        metric: Name of what is compared.
        direction: Of the metric, for the record; nothing is turned here.
        unscored: For the record.
        draws: Of the bootstrap over systems, where there are enough.
        seed: Of the draws.
        level: Coverage of the intervals.
    """
    systems = sorted(people.keys() & merits.keys())
    x, y = [people[name] for name in systems], [merits[name] for name in systems]
    return _compared(
        x,
        y,
        systems,
        dimension=dimension,
        metric=metric,
        direction=direction,
        unscored=unscored,
        intervals=agreement_intervals(x, y, systems, draws=draws, seed=seed, level=level),
        on="system",
    )


def _compared(
    people: Sequence[float],
    merits: Sequence[float],
    clusters: Sequence[str],
    *,
    dimension: str,
    metric: str,
    direction: Direction,
    unscored: int,
    intervals: Mapping[str, AgreementInterval],
    on: Level = "clip",
) -> Agreement:
    return Agreement(
        dimension=dimension,
        metric=metric,
        direction=direction,
        level=on,
        items=len(people),
        clusters=len(set(clusters)),
        unscored=unscored,
        spearman=spearman(people, merits),
        kendall=kendall(people, merits),
        pearson=pearson(people, merits),
        accuracy=pairwise_accuracy(people, merits),
        calibrated=calibrated_pairwise_accuracy(people, merits),
        intervals=intervals,
    )


def _judged(
    dimension: str,
    preferences: Sequence[Preference],
    scores: Mapping[ClipKey, ScoredClip],
    *,
    metric: str,
    direction: Direction,
    level: float,
) -> Agreement:
    """Compare a metric with judged pairs; a pair belongs to the cluster of its left clip."""
    outcomes, differences, clusters = [], [], []
    for each in preferences:
        sides = [scores.get(each.left), scores.get(each.right)]
        left, right = (None if side is None else _merit(side.value, direction) for side in sides)
        if left is not None and right is not None:
            outcomes.append(each.outcome)
            differences.append(left - right)
            clusters.append(scores[each.left].cluster)
    return Agreement(
        dimension=dimension,
        metric=metric,
        direction=direction,
        level="pair",
        items=len(outcomes),
        clusters=len(set(clusters)),
        unscored=len(preferences) - len(outcomes),
        spearman=None,
        kendall=None,
        pearson=None,
        accuracy=preference_accuracy(outcomes, differences),
        calibrated=calibrated_preference_accuracy(outcomes, differences),
        intervals=judged_intervals(outcomes, differences, clusters, level=level),
    )


def judged_intervals(
    outcomes: Sequence[int],
    differences: Sequence[float],
    clusters: Sequence[str],
    *,
    tie_threshold: float = 0.0,
    level: float = 0.95,
) -> dict[str, AgreementInterval]:
    """Return the intervals of both accuracies over judged pairs: clustered shares of right answers.

    Args:
        outcomes: 1, -1 or 0 a pair.
        differences: Score of the left clip less that of the right one.
        clusters: The cluster of each pair.
        tie_threshold: The metric calls a tie what differs by this or less.
        level: Coverage.
    """
    said = [0 if abs(found) <= tie_threshold else (1 if found > 0 else -1) for found in differences]
    right = [float(told == answer) for told, answer in zip(outcomes, said, strict=True)]
    kinds: dict[str, Callable[[int], bool]] = {"accuracy": bool, "accuracy_with_ties": lambda _: True}
    found = {}
    for name, is_asked in kinds.items():
        asked = [at for at, told in enumerate(outcomes) if is_asked(told)]
        share = clustered_proportion([right[at] for at in asked], [clusters[at] for at in asked], level=level)
        found[name] = AgreementInterval.of(share)
    return found


def _merit(value: float | None, direction: Direction) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return -value if direction == "lower" else value


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
