"""Group-relative advantages: how much better than the others of its group each sample is.

From GRPO (Shao et al. 2024, arXiv 2402.03300). A group holds the samples of one prompt. Flow-GRPO divides by the
deviation of a population and adds 1e-4; DanceGRPO by that of a sample and adds 1e-8.

Reference: flow_grpo/stat_tracking.py (PerPromptStatTracker), scripts/train_sd3.py (calculate_zero_std_ratio);
DanceGRPO's fastvideo/train_grpo_skyreels_i2v.py (train_one_step) and train_grpo_hunyuan.py.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from anisora.harness.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

__all__ = [
    "DANCE_GRPO",
    "DANCE_GRPO_GLOBAL",
    "FLOW_GRPO",
    "FLOW_GRPO_GLOBAL_STD",
    "AdvantageRule",
    "GroupSpread",
    "advantages",
    "clamped",
    "consecutive_groups",
    "group_spread",
    "mixed_advantages",
]

Scope = Literal["group", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvantageRule:
    """``(reward - mean) / (deviation + epsilon)``, and over which samples."""

    mean: Scope = "group"
    deviation: Scope = "group"
    correction: int = 0
    """What is taken off the count of samples: 0 for the deviation of a population, 1 for that of a sample."""
    epsilon: float = 1e-4
    """Above 0."""


FLOW_GRPO: Final = AdvantageRule()
FLOW_GRPO_GLOBAL_STD: Final = AdvantageRule(deviation="all")
DANCE_GRPO: Final = AdvantageRule(correction=1, epsilon=1e-8)
DANCE_GRPO_GLOBAL: Final = AdvantageRule(mean="all", deviation="all", correction=1, epsilon=1e-8)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpread:
    """Whether the rewards of groups tell their samples apart."""

    is_spread: "torch.Tensor"
    """(N,) bool: whether the rewards of the sample's group differ; the others have no advantage and may be dropped."""
    zero_std_ratio: float
    """Share of groups whose rewards are all equal, 0 to 1."""
    reward_std_mean: float
    """Mean of the groups' deviations, each that of a population."""


def consecutive_groups(count: int, size: int) -> list[int]:
    """Return the group of each sample where the samples of a prompt follow each other.

    Args:
        count: Samples.
        size: Of a group.

    Raises:
        ConfigError: The samples are not whole groups.

    Example:
        >>> consecutive_groups(6, 2)
        [0, 0, 1, 1, 2, 2]
    """
    if size < 1 or count % size:
        raise ConfigError(f"`size` got {size} for {count} samples; expected a divisor. Draw whole groups.")
    return [place // size for place in range(count)]


def advantages(rewards: "torch.Tensor", groups: Sequence[Hashable], rule: AdvantageRule = FLOW_GRPO) -> "torch.Tensor":
    """Return the advantage of each sample.

    Args:
        rewards: (N,), finite.
        groups: What is equal within a group, as the prompt; groups need not lie together.
        rule: How it is scaled.

    Returns:
        (N,); 0 in a group of equal rewards whose own mean is taken off.

    Raises:
        DataError: There is not one group a sample, a reward is not finite, or a deviation of a sample is asked for of
            one reward.
    """
    members = _members(rewards, groups)
    whole = slice(None)
    found = rewards.new_empty(rewards.shape)
    for own in members.values():
        centre = rewards[own if rule.mean == "group" else whole].mean()
        scaled_by = rewards[own if rule.deviation == "group" else whole]
        if len(scaled_by) <= rule.correction:
            raise DataError(
                f"`rewards` has {len(scaled_by)} in a group; expected {rule.correction + 1} or more, whose deviation "
                "can be taken. Draw more samples a prompt."
            )
        found[own] = (rewards[own] - centre) / (scaled_by.std(correction=rule.correction) + rule.epsilon)
    return found


def mixed_advantages(
    rewards: "Mapping[str, torch.Tensor]",
    groups: Sequence[Hashable],
    coefficients: Mapping[str, float],
    rule: AdvantageRule = DANCE_GRPO,
) -> "torch.Tensor":
    """Return the weighted sum of the advantages that each dimension of a reward gives for itself.

    Unlike the advantage of a weighted sum of rewards, a dimension of large numbers does not drown the others.

    Args:
        rewards: {dimension: (N,)}.
        groups: Of each sample.
        coefficients: {dimension: weight}; those of weight 0 need not be finite.
        rule: How each is scaled.

    Raises:
        ConfigError: A dimension has no weight or no rewards, or no weight differs from 0.
        DataError: As of ``advantages``.
    """
    if set(rewards) != set(coefficients) or not any(coefficients.values()):
        raise ConfigError(
            f"`coefficients` names {sorted(coefficients)}, some other than 0: {any(coefficients.values())}; expected a "
            f"weight for each of {sorted(rewards)}. Write 0 for those that do not count."
        )
    weighted = [weight * advantages(rewards[name], groups, rule) for name, weight in coefficients.items() if weight]
    return sum(weighted[1:], start=weighted[0])


def group_spread(rewards: "torch.Tensor", groups: Sequence[Hashable]) -> GroupSpread:
    """Return which groups tell their samples apart.

    Args:
        rewards: (N,), finite.
        groups: Of each sample.

    Raises:
        DataError: There is not one group a sample, or a reward is not finite.
    """
    import torch

    members = _members(rewards, groups)
    is_spread = torch.zeros(rewards.shape, dtype=torch.bool, device=rewards.device)
    deviations, flat = [], 0
    for own in members.values():
        of_group = rewards[own]
        is_flat = bool((of_group == of_group[0]).all())  # the deviation of equal numbers may round to more than 0
        flat += is_flat
        is_spread[own] = not is_flat
        deviations.append(0.0 if is_flat else float(of_group.std(correction=0)))
    return GroupSpread(
        is_spread=is_spread,
        zero_std_ratio=flat / len(members),
        reward_std_mean=sum(deviations) / len(members),
    )


def clamped(values: "torch.Tensor", limit: float) -> "torch.Tensor":
    """Return advantages cut at ``-limit`` and ``limit``.

    Args:
        values: (N,).
        limit: Positive; both references take 5.

    Raises:
        ConfigError: The limit is not positive.
    """
    if not limit > 0:
        raise ConfigError(f"`limit` got {limit!r}; expected a positive number. The references take 5.")
    return values.clamp(-limit, limit)


def _members(rewards: "torch.Tensor", groups: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """Return {group: places of its samples}, in order of appearance."""
    if rewards.ndim != 1 or len(rewards) != len(groups) or not len(groups):
        raise DataError(
            f"`rewards` has shape {tuple(rewards.shape)} for {len(groups)} entries of `groups`; expected one reward "
            "and one group a sample. Pass the prompt of each sample."
        )
    lacking = (~rewards.isfinite()).nonzero().flatten().tolist()
    if lacking:
        raise DataError(
            f"`rewards` has {float(rewards[lacking[0]])} at place {lacking[0]}; expected finite numbers. Leave out "
            "samples that could not be scored."
        )
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    return members
