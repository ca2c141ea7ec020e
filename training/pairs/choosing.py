"""Which clips of a group become pairs of a better one and a worse one."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

__all__ = ["ScoredPair", "Take", "choose_pairs"]

Take = Literal["best-worst", "all"]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two clips of one item."""

    item: str
    winner: int
    """Its seed."""
    loser: int
    winner_reward: float
    loser_reward: float

    def __post_init__(self) -> None:
        """Refuse what would teach the opposite, and NaN."""
        if not self.winner_reward > self.loser_reward:
            raise ValueError(
                f"Item {self.item!r}: the winner (seed {self.winner}) has {self.winner_reward}, the loser (seed "
                f"{self.loser}) {self.loser_reward}; expected more."
            )


def choose_pairs(
    item: str, rewards: Mapping[int, float | None], *, take: Take = "best-worst", min_gap: float = 0.0
) -> list[ScoredPair]:
    """Pair the clips of an item; clips without a reward are in no pair, and neither are two of one reward.

    Args:
        item: What they were made for.
        rewards: {seed: reward}; None where a clip could not be made or scored.
        take: ``best-worst``: one pair at most, among equals the smallest seed wins and the largest one loses.
            ``all``: every two clips.
        min_gap: The smallest difference of two rewards that counts.

    Example:
        >>> [(pair.winner, pair.loser) for pair in choose_pairs("a", {0: 0.5, 1: 0.9, 2: None, 3: 0.5})]
        [(1, 3)]
    """
    scored = {seed: value for seed, value in rewards.items() if value is not None}
    ranking = sorted(scored, key=lambda seed: (-scored[seed], seed))
    if take == "best-worst":
        chosen = [(ranking[0], ranking[-1])] if ranking else []
    else:
        chosen = list(combinations(ranking, 2))
    return [
        ScoredPair(item, better, worse, scored[better], scored[worse])
        for better, worse in chosen
        if scored[better] > scored[worse] and scored[better] - scored[worse] >= min_gap
    ]
