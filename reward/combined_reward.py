"""Several rewards as one: their weighted mean, with every one of them told beside it."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import RewardBatch, RewardInfo, RewardModel
from anisora.harness.record import digest_of
from anisora.harness.types import Condition, Score
from anisora.reward.reward_inputs import as_numpy, converter
from anisora.reward.weighted_mean import NO_TOTAL, weighted_mean, weighted_range
from anisora.reward.wrapped_reward import WrappedReward

__all__ = ["CombinedReward"]


class CombinedReward(WrappedReward):
    """``total = sum(w_i * total_i) / sum(|w_i|)`` over rewards.

    Its dimensions are the total of each reward, under the reward's name, and the dimensions of each, as
    ``reward/dimension``, which are told and do not enter again. Rewards of different units are best normalised first
    (``anisora.reward(..., constants=FILE)``): the larger numbers rule otherwise. Each reward decodes files for itself;
    metrics that are to share a decode belong in one ``metric_reward``.

    Example:
        >>> judge = CombinedReward({"calm": "metric_reward:temporal_flickering", "sharp": "metric_reward:sharpness=1"})
        >>> judge.info.dimensions
        ('calm', 'calm/temporal_flickering', 'sharp', 'sharp/sharpness')
    """

    def __init__(
        self,
        rewards: Mapping[str, RewardModel | str],
        weights: Mapping[str, float] | None = None,
        *,
        name: str = "combined",
        constants: str | Path | None = None,
    ) -> None:
        """Make the rewards that are named and settle the weights; nothing is decoded or loaded yet.

        Args:
            rewards: {what to call it: a reward, or the specification of one}. Those made here are closed with it.
            weights: {name: weight}, for some or all; 1 where left out.
            name: What to call the combination in tables.
            constants: File of what the dimensions of those made here are normalised by.

        Raises:
            ConfigError: There is no reward, a weight is of none of them, not finite or 0, or a name holds a slash.
            UnknownNameError: There is no such reward.
        """
        from anisora.reward.metric_reward import reward

        given = dict(weights or {})
        if not rewards or any("/" in each or not each for each in rewards):
            raise ConfigError(f"`rewards` got {list(rewards)}; expected one or more, with names that hold no slash.")
        for each, weight in given.items():
            if each not in rewards:
                raise ConfigError(f"`weights` got {each!r}; expected some of {', '.join(rewards)}.")
            if isinstance(weight, bool) or not math.isfinite(weight) or weight == 0:
                raise ConfigError(f"Weight of {each!r} got {weight!r}; expected a number other than 0, such as 0.5.")
        made = {
            each: reward(found, constants=constants) if isinstance(found, str) else found
            for each, found in rewards.items()
        }
        super().__init__(list(made.values()), owned=[made[each] for each in rewards if isinstance(rewards[each], str)])
        self._rewards = made
        self._weights = {each: float(given.get(each, 1.0)) for each in made}
        self._name = name

    @property
    def info(self) -> RewardInfo:
        """Names, weights, and the fingerprint of all of the rewards."""
        infos = {each: reward.info for each, reward in self._rewards.items()}
        weights: dict[str, float] = {}
        protocols: dict[str, str] = {}
        for each, info in infos.items():
            weights[each] = self._weights[each]
            weights |= {f"{each}/{dimension}": 0.0 for dimension in info.dimensions}
            protocols |= {f"{each}/{dimension}": digest for dimension, digest in info.protocols.items()}
        parts = {each: [info.fingerprint, self._weights[each]] for each, info in infos.items()}
        constants = {each: info.constants for each, info in infos.items() if info.constants}
        return RewardInfo(
            name=self._name,
            dimensions=tuple(weights),
            weights=tuple(weights.values()),
            fingerprint=digest_of({"rewards": parts}),
            protocols=protocols,
            constants=", ".join(f"{each}: {label}" for each, label in constants.items()),
            value_range=weighted_range({each: info.value_range for each, info in infos.items()}, self._weights),
        )

    def __call__(
        self,
        videos: Any,  # noqa: ANN401 - a torch tensor, a numpy array or paths
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        fps: float,
    ) -> RewardBatch:
        """Score a batch by every reward, one after the other; arguments as of any reward.

        Returns:
            ``dimensions`` has the totals of the rewards, and their dimensions raw; ``normalised`` those dimensions that
            a reward normalises. A video is valid where every reward has a total.
        """
        started = time.perf_counter()
        batches = {each: reward(videos, prompts, images, fps=fps) for each, reward in self._rewards.items()}
        totals = {each: as_numpy(batch.total).astype(np.float64) for each, batch in batches.items()}
        total = weighted_mean(totals, self._weights)
        convert = converter(videos)
        return RewardBatch(
            total=convert(total.astype(np.float32)),
            dimensions=_gathered(batches, lambda each, batch: {each: batch.total} | _named(each, batch.dimensions)),
            valid=convert(np.isfinite(total)),
            seconds=time.perf_counter() - started,
            scores=tuple(_rows(batches, totals, place) for place in range(len(total))),
            failed=tuple(_failed(batches, place) for place in range(len(total))),
            decodes=sum(batch.decodes for batch in batches.values()),
            normalised=_gathered(batches, lambda each, batch: _named(each, batch.normalised)),
        )


def _named(each: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{each}/{dimension}": value for dimension, value in values.items()}


def _gathered(batches: Mapping[str, RewardBatch], part: Callable[[str, RewardBatch], dict[str, Any]]) -> dict[str, Any]:
    return {name: value for each, batch in batches.items() for name, value in part(each, batch).items()}


def _rows(batches: Mapping[str, RewardBatch], totals: Mapping[str, Any], place: int) -> dict[str, Score]:
    """Return the rows of a video: the total of each reward, and what it is made of."""
    rows = {}
    for each, batch in batches.items():
        value = float(totals[each][place])
        lacking = not math.isfinite(value)
        rows[each] = Score(
            sample_id=str(place), seed=0, value=None if lacking else value, note=NO_TOTAL if lacking else ""
        )
        rows |= _named(each, batch.scores[place] if batch.scores else {})
    return rows


def _failed(batches: Mapping[str, RewardBatch], place: int) -> frozenset[str]:
    """Return the dimensions of a video that failed."""
    return frozenset(
        f"{each}/{dimension}"
        for each, batch in batches.items()
        for dimension in (batch.failed[place] if batch.failed else ())
    )
