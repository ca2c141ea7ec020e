"""Preference training on pairs that the network in training draws: of each group, the best clip against the worst.

Reference: flow_grpo's scripts/train_sd3_dpo.py, whose pairs are those of the highest and the lowest reward of a group.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from anisora.harness.protocols import RewardBatch
from anisora.reward.reward_inputs import as_numpy
from anisora.reward.trainer_reward import TrainerReward
from anisora.training.best_of_n import choice_of
from anisora.training.buckets import BatchesInOrder, BatchPlan, StepBatch
from anisora.training.drawn_clips import drawn_latents
from anisora.training.drawn_samples import generator_of
from anisora.training.encodings import Encodings
from anisora.training.families.family import Family, Sampling
from anisora.training.grpo.advantages import FLOW_GRPO, consecutive_groups
from anisora.training.grpo.group_rewards import GroupRewards
from anisora.training.loop import Share
from anisora.training.posed_items import FramedItem
from anisora.training.preference import Preference, PreferencePart, SizedPair
from anisora.training.scored_groups import scored_while_drawn

if TYPE_CHECKING:
    import torch

__all__ = ["OnlinePreference", "OnlineRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineRules:
    """How pairs are drawn."""

    group_size: int
    """Clips of one prompt."""
    every: int
    """Steps that train on the pairs of one drawing."""
    steps: int | None
    """Of sampling; None is the model's own number."""
    guidance: float | None
    """Of the prompt; None is the model's own."""
    low: float
    """The reward that is a score of 0."""
    high: float
    """The reward that is the highest score."""
    scale: float
    """That score."""
    needs_gap: bool
    """Whether clips whose scores are equal, though their rewards differ, make no pair."""

    def score(self, reward: float) -> float:
        """Return the score of a reward, 0 to ``scale``."""
        return min(1.0, max(0.0, (reward - self.low) / (self.high - self.low))) * self.scale


class _Drawn(NamedTuple):
    item: FramedItem
    latents: "torch.Tensor"
    """(group_size, ...), on the CPU."""


class _Round(NamedTuple):
    number: int
    pairs: dict[int, tuple[SizedPair, bool]]
    """{place in the step's batch: (pair, whether it is one)}"""
    numbers: dict[str, float]


class OnlinePreference(Preference):
    """Satisfies ``loop.Method``; a step trains on a pair of each of ``batch_size`` groups."""

    def __init__(
        self,
        family: Family,
        items: Sequence[FramedItem],
        encodings: Encodings,
        share: Share,
        *,
        rules: OnlineRules,
        reward: TrainerReward,
        gather: "Callable[[torch.Tensor], torch.Tensor]",
        fps: float,
        is_bfloat16: bool,
        **settings: Any,  # noqa: ANN401 - those of Preference
    ) -> None:
        """Take what pairs are drawn from.

        Args:
            family: Of the network.
            items: In order.
            encodings: Of the items' first frames and prompts.
            share: Of this process.
            rules: Of drawing.
            reward: Tells better from worse; closed with this.
            gather: Joins the rows of processes.
            fps: Of clips.
            is_bfloat16: Whether the network computes in bfloat16.
            settings: As ``Preference`` takes them.
        """
        super().__init__(family, (), encodings, share, shown=items, optimised=reward.info.dimensions, **settings)
        self._items, self._rules, self._reward = items, rules, reward
        self._gather, self._fps, self._is_bfloat16 = gather, fps, is_bfloat16
        # Of these, only what the log is told is used.
        self._rewards = GroupRewards(reward, mixing="total", rule=FLOW_GRPO, limit=1.0, gather=gather)
        self._groups = share.processes * share.parts * share.size
        self._drawings = BatchesInOrder(BatchPlan([each.bucket for each in items], self._groups, self.seed))
        self._round: _Round | None = None

    def parts(self, step: int, network: Any) -> list[PreferencePart]:  # noqa: ANN401 - it has the family's network
        """Return this process's parts of a step, after drawing its pairs; steps are asked for in order."""
        number = step // self._rules.every
        if self._round is None or self._round.number != number:
            self._round = self._drawn(number)
        return [self._part_of(own, step, self._round.pairs) for own in self.share.places()]

    def numbers(self) -> dict[str, float]:
        """Return what rewards said of the clips that pairs are of, and how many groups gave one."""
        return {} if self._round is None else self._round.numbers

    def close(self) -> None:
        """Close the reward."""
        self._reward.close()

    def _part_of(self, places: Sequence[int], step: int, pairs: dict[int, tuple[SizedPair, bool]]) -> PreferencePart:
        import torch

        counts = torch.tensor([float(pairs[place][1]) for place in places])
        part = self.part([self.sample(pairs[place][0], step, place) for place in places])
        return part._replace(counts=counts.to(self.device))

    def _drawn(self, number: int) -> _Round:
        import torch

        batch = self._drawings.at(number)
        places = [place for own in self.share.places() for place in own]

        def draw(place: int) -> "tuple[_Drawn, torch.Tensor]":
            drawn = self._group(batch, place)
            frames = [self.family.decode(latents[None].to(self.device)) for latents in drawn.latents]
            return drawn, torch.cat(frames)

        def score(place: int, frames: "torch.Tensor") -> RewardBatch:
            item, count = self._items[batch.items[place]], len(frames)
            return self._reward(frames, [item.prompt] * count, [item.condition] * count, fps=self._fps)

        drawn, scored = scored_while_drawn(places, draw, score)
        groups = consecutive_groups(self._groups * self._rules.group_size, self._rules.group_size)
        numbers = dict(self._rewards.compared(scored, groups).numbers)
        found = zip(places, drawn, scored, strict=True)
        pairs = {place: self._pair(clips, rewards) for place, clips, rewards in found}
        told = torch.tensor([[float(is_pair)] for _, is_pair in pairs.values()])
        return _Round(number, pairs, {**numbers, "pairs_ratio": float(self._gather(told).mean())})

    def _group(self, batch: StepBatch, place: int) -> _Drawn:
        import torch

        item, rules = self._items[batch.items[place]], self._rules
        sampling = Sampling(item.bucket.height, item.bucket.width, item.bucket.frames, rules.steps, rules.guidance)
        first = self._groups + place * rules.group_size  # generators of smaller places are those of pairs
        found = [
            drawn_latents(
                self.family,
                self.encodings,
                item,
                generator_of(self.seed, batch.step, first + member),
                sampling,
                device=self.device,
                is_bfloat16=self._is_bfloat16,
            ).cpu()
            for member in range(rules.group_size)
        ]
        return _Drawn(item, torch.cat(found))

    def _pair(self, drawn: _Drawn, batch: RewardBatch) -> tuple[SizedPair, bool]:
        """Return the best clip against the worst, and whether they differ; else any two, which count for nothing."""
        totals, valid = as_numpy(batch.total).tolist(), as_numpy(batch.valid).tolist()
        rewards = {at: float(total) if valid[at] else None for at, total in enumerate(totals)}
        choice = choice_of(drawn.item.id, rewards, {})
        best, worst = choice.seed, choice.worst_seed
        high, low = (math.nan if at is None else self._rules.score(rewards[at] or 0.0) for at in (best, worst))
        is_pair = best is not None and worst is not None and (high > low or not self._rules.needs_gap)
        if not is_pair or best is None or worst is None:
            best, worst, high, low = 0, 1, self._rules.scale, 0.0
        winner, loser = (self.family.kept(drawn.latents[at]) for at in (best, worst))
        item = drawn.item
        return SizedPair(item.prompt, winner, loser, high, low, item.bucket, item.image), is_pair
