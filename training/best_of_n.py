"""Best of n: draw n clips for a sample and keep the one the reward likes best.

It is the baseline every tuned model has to beat.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from anisora.harness.errors import AnisoraError, ConfigError
from anisora.harness.protocols import GenerationSettings, Generator, RewardModel, VideoReader
from anisora.harness.types import Sample

__all__ = ["Choice", "best_of_n", "choice_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What became of one sample."""

    sample_id: str
    seed: int | None
    """The seed whose clip was kept; None where no clip could be scored."""
    reward: float | None
    all_rewards: dict[int, float | None]
    """{seed: reward}; None where the clip could not be made or scored."""
    errors: dict[int, str]
    """{seed: why it has no reward}"""

    @property
    def error(self) -> str | None:
        """Why nothing was kept, or None."""
        if self.seed is not None:
            return None
        return f"Sample {self.sample_id!r} has no clip with a reward: {next(iter(self.errors.values()))}"

    @property
    def worst_seed(self) -> int | None:
        """The seed of the lowest reward, or None unless it is below the best."""
        scored = {seed: value for seed, value in self.all_rewards.items() if value is not None}
        worst = min(scored, key=lambda seed: (scored[seed], -seed), default=None)
        return worst if worst is not None and self.reward is not None and scored[worst] < self.reward else None


def best_of_n(
    samples: Iterable[Sample],
    generator: Generator,
    reward: RewardModel,
    *,
    n: int,
    settings: GenerationSettings,
    reader: VideoReader,
    first_seed: int = 0,
) -> list[Choice]:
    """Generate n clips for each sample and choose the best.

    Clips are made and scored one at a time, so that memory holds one of them. A clip that cannot be made or
    scored never wins; among equal rewards the smallest seed does.

    Args:
        samples: What to generate for.
        generator: Makes a clip for a sample and a seed.
        reward: Judges it.
        n: Clips a sample, with seeds first_seed, first_seed + 1, ...
        settings: What the generator is asked to do.
        reader: Decodes the conditioning images for the generator.
        first_seed: The first seed.

    Returns:
        One choice a sample, in order.

    Raises:
        ConfigError: n is below 1.
    """
    if n < 1:
        raise ConfigError(f"`n` got {n!r}; expected how many clips to draw for a sample, at least 1.")
    seeds = range(first_seed, first_seed + n)

    def judged(sample: Sample, seed: int) -> tuple[float, str]:
        made = generator.generate(sample, seed=seed, settings=settings, reader=reader)
        video = np.ascontiguousarray(made.frames.transpose(0, 3, 1, 2))[np.newaxis]  # (1, T, 3, H, W)
        batch = reward(video, [sample.prompt or ""], [sample.condition], fps=made.fps)
        notes = "; ".join(score.note for row in batch.scores for score in row.values() if score.note)
        return float(batch.total[0]), notes or f"the reward of seed {seed} is not a number"

    return [_choose(sample, seeds, judged) for sample in samples]


def _choose(sample: Sample, seeds: Sequence[int], judged: Callable[[Sample, int], tuple[float, str]]) -> Choice:
    rewards: dict[int, float | None] = {}
    errors: dict[int, str] = {}
    for seed in seeds:
        try:
            value, why = judged(sample, seed)
        except AnisoraError as error:
            value, why = math.nan, str(error)
        rewards[seed] = None if math.isnan(value) else value
        if math.isnan(value):
            errors[seed] = why
    return choice_of(sample.id, rewards, errors)


def choice_of(sample_id: str, rewards: dict[int, float | None], errors: dict[int, str]) -> Choice:
    """Return the best of clips that were scored; among equal rewards the smallest seed's.

    Args:
        sample_id: What they were made for.
        rewards: {seed: reward}; None where a clip could not be made or scored.
        errors: {seed: why it has no reward}
    """
    scored = {seed: value for seed, value in rewards.items() if value is not None}
    best = max(scored, key=lambda seed: (scored[seed], -seed), default=None)
    highest = None if best is None else scored[best]
    return Choice(sample_id=sample_id, seed=best, reward=highest, all_rewards=rewards, errors=errors)
