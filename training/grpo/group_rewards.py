"""From the rewards of a step's clips to their advantages, and what the log is told of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from anisora.harness.protocols import RewardBatch
from anisora.reward.running_summary import TOTAL
from anisora.reward.trainer_reward import TrainerReward
from anisora.training.grpo.advantages import AdvantageRule, advantages, clamped, group_spread, mixed_advantages

if TYPE_CHECKING:
    import torch

__all__ = ["GroupRewards", "StepAdvantages"]

Mixing = Literal["total", "dimensions"]
Gather = Callable[["torch.Tensor"], "torch.Tensor"]
"""(n, columns) of each process -> those of all, in the order of the processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAdvantages:
    """Of all clips of a step, in their places."""

    values: "torch.Tensor"
    """(N,) float32; 0 of groups without spread and, unless a constant stands for it, of clips without a reward."""
    is_spread: "torch.Tensor"
    """(N,) bool: whether the rewards of the clip's group differ; the others are not trained on."""
    numbers: Mapping[str, float]
    """For the log."""


class GroupRewards:
    """Puts the rewards of all processes side by side and compares within groups."""

    def __init__(
        self, reward: TrainerReward, *, mixing: Mixing, rule: AdvantageRule, limit: float, gather: Gather
    ) -> None:
        """Take what decides.

        Args:
            reward: Has a policy for what is invalid.
            mixing: ``total``: the advantage of the total. ``dimensions``: the sum of the advantages of the weighted
                dimensions, each multiplied by its weight.
            rule: How they are scaled.
            limit: Where they are cut; positive.
            gather: Joins the rows of processes.
        """
        info = reward.info
        self._reward, self._mixing, self._rule, self._limit, self._gather = reward, mixing, rule, limit, gather
        self._dimensions = info.dimensions
        self._weights = {name: each for name, each in zip(info.dimensions, info.weights, strict=True) if each}

    def compared(self, batches: Sequence[RewardBatch], groups: Sequence[int]) -> StepAdvantages:
        """Return the advantages of a step.

        Args:
            batches: Of this process's clips, in order.
            groups: Of each clip of the step.
        """
        import torch

        names = (TOTAL, *self._dimensions)
        own = torch.cat([torch.stack(_columns(batch, self._dimensions), 1) for batch in batches])
        rows = self._gather(own).cpu()
        valid = rows[:, -1] > 0
        columns = dict(zip(names, rows.T, strict=False))
        compared = {TOTAL: 1.0} if self._mixing == "total" else self._weights
        spreads = {
            name: group_spread(columns[name], groups, valid=valid & columns[name].isfinite()) for name in compared
        }
        is_spread = _in_spread_group(torch.stack([each.is_spread for each in spreads.values()]).any(0), groups)
        chosen = {name: self._filled(columns[name], valid, math.copysign(1, compared[name])) for name in compared}
        if self._mixing == "total":
            found = advantages(chosen[TOTAL], groups, self._rule, valid=valid)
        else:
            flat = {name: _in_spread_group(each.is_spread, groups) for name, each in spreads.items()}
            # Rounding of a mean makes large advantages of equal numbers, where the epsilon is small.
            apart = {name: torch.where(flat[name], values, values.new_zeros(())) for name, values in chosen.items()}
            found = mixed_advantages(apart, groups, self._weights, self._rule, valid=valid)
        values = torch.where(is_spread, clamped(found, self._limit), found.new_zeros(()))
        return StepAdvantages(values=values, is_spread=is_spread, numbers=self._numbers(columns, valid, groups))

    def _filled(self, values: "torch.Tensor", valid: "torch.Tensor", sign: float) -> "torch.Tensor":
        """Return rewards with the policy's number, or NaN, for those of clips that have none.

        The number is one of a reward: of a dimension of which less is better, its opposite stands for it.
        """
        import torch

        if self._reward.invalid.kind == "constant":
            return sign * torch.from_numpy(self._reward.invalid.applied(sign * values))
        return torch.where(valid, values, values.new_full((), math.nan))

    def _numbers(
        self, columns: "Mapping[str, torch.Tensor]", valid: "torch.Tensor", groups: Sequence[int]
    ) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, values in columns.items():
            # A constant in the place of a total is no reward that was measured.
            known = values[valid if name == TOTAL else values.isfinite()].double()
            if len(known):
                numbers = {"mean": known.mean(), "std": known.std(correction=0), "min": known.min(), "max": known.max()}
                found |= {f"reward/{name}/{what}": float(number) for what, number in numbers.items()}
        found["reward/zero_std_ratio"] = group_spread(columns[TOTAL], groups, valid=valid).zero_std_ratio
        found["reward/invalid_ratio"] = float((~valid).double().mean())
        summary = self._reward.summary()
        seconds = {"p50": summary.seconds_p50, "p95": summary.seconds_p95}
        return found | {f"reward/seconds_{name}": each for name, each in seconds.items() if each is not None}


def _columns(batch: RewardBatch, dimensions: Sequence[str]) -> "list[torch.Tensor]":
    import torch

    values = [batch.total, *(batch.dimensions[name] for name in dimensions), batch.valid]
    return [torch.as_tensor(each).float() for each in values]


def _in_spread_group(is_spread: "torch.Tensor", groups: Sequence[int]) -> "torch.Tensor":
    """Return whether any clip of each clip's group is spread; clips without a reward are not themselves."""
    import torch

    spread = {group for group, each in zip(groups, is_spread.tolist(), strict=True) if each}
    return torch.tensor([group in spread for group in groups])
