"""Group-relative advantages: how much better than the others of its group each sample is.

From GRPO (Shao et al. 2024, arXiv 2402.03300). A group holds the samples of one prompt. Flow-GRPO divides by the
deviation of a population and adds 1e-4; DanceGRPO by that of a sample and adds 1e-8.

Samples that could not be scored (``valid`` False) enter no mean and no deviation. One whose reward is NaN has advantage
0; one to which a constant was given is compared with the valid ones of its group.

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
    "GroupStatistics",
    "advantages",
    "clamped",
    "consecutive_groups",
    "group_spread",
    "group_statistics",
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
class GroupStatistics:
    """The rewards of one group."""

    count: int
    """Valid samples."""
    invalid: int
    """Samples that could not be scored; they are in no number here."""
    mean: float | None
    """None where no sample is valid."""
    std: float | None
    """Of the population."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpread:
    """Whether the rewards of groups tell their samples apart."""

    is_spread: "torch.Tensor"
    """(N,) bool: whether the valid rewards of the sample's group differ; the others have no advantage and may be
    dropped, as may samples that are not valid, which are False too."""
    zero_std_ratio: float
    """Share of groups whose rewards are all equal, 0 to 1; of groups with a valid sample."""
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


def advantages(
    rewards: "torch.Tensor",
    groups: Sequence[Hashable],
    rule: AdvantageRule = FLOW_GRPO,
    *,
    valid: "torch.Tensor | None" = None,
) -> "torch.Tensor":
    """Return the advantage of each sample.

    Args:
        rewards: (N,), finite where valid.
        groups: What is equal within a group, as the prompt; groups need not lie together.
        rule: How it is scaled.
        valid: (N,), 0 or False where a sample could not be scored; all are valid when left out.

    Returns:
        (N,); 0 in a group of equal rewards whose own mean is taken off. With ``valid``, also 0 where a reward is NaN,
        where too few samples are valid for a mean or deviation, and of constants where the valid rewards are equal.

    Raises:
        DataError: There is not one group and one ``valid`` a sample, a valid reward is not finite, or, without
            ``valid``, a deviation of a sample is asked for of one reward.
    """
    members, is_valid = _members(rewards, groups, valid)
    everywhere = is_valid.nonzero().flatten().tolist()
    found = rewards.new_zeros(rewards.shape)
    for own in members.values():
        scored = [place for place in own if is_valid[place]]
        centred_by = rewards[scored if rule.mean == "group" else everywhere]
        scaled_by = rewards[scored if rule.deviation == "group" else everywhere]
        if len(scaled_by) <= rule.correction or not len(centred_by):
            if valid is not None:
                continue
            raise DataError(
                f"`rewards` has {len(scaled_by)} in a group; expected {rule.correction + 1} or more, whose deviation "
                "can be taken. Draw more samples a prompt."
            )
        deviation = scaled_by.std(correction=rule.correction) + rule.epsilon
        has_scale = bool((scaled_by != scaled_by[0]).any())
        compared = own if has_scale else scored  # a constant is no multiple of a deviation of nothing
        found[compared] = (rewards[compared] - centred_by.mean()) / deviation
    return found if valid is None else found.nan_to_num(nan=0.0)


def mixed_advantages(
    rewards: "Mapping[str, torch.Tensor]",
    groups: Sequence[Hashable],
    coefficients: Mapping[str, float],
    rule: AdvantageRule = DANCE_GRPO,
    *,
    valid: "torch.Tensor | None" = None,
) -> "torch.Tensor":
    """Return the weighted sum of the advantages that each dimension of a reward gives for itself.

    Unlike the advantage of a weighted sum of rewards, a dimension of large numbers does not drown the others.

    Args:
        rewards: {dimension: (N,)}.
        groups: Of each sample.
        coefficients: {dimension: weight}; those of weight 0 need not be finite.
        rule: How each is scaled.
        valid: As of ``advantages``, for all dimensions.

    Raises:
        ConfigError: A dimension has no weight or no rewards, or no weight differs from 0.
        DataError: As of ``advantages``.
    """
    if set(rewards) != set(coefficients) or not any(coefficients.values()):
        raise ConfigError(
            f"`coefficients` names {sorted(coefficients)}, some other than 0: {any(coefficients.values())}; expected a "
            f"weight for each of {sorted(rewards)}. Write 0 for those that do not count."
        )
    weighted = [
        weight * advantages(rewards[name], groups, rule, valid=valid) for name, weight in coefficients.items() if weight
    ]
    return sum(weighted[1:], start=weighted[0])


def group_statistics(
    rewards: "torch.Tensor", groups: Sequence[Hashable], *, valid: "torch.Tensor | None" = None
) -> dict[Hashable, GroupStatistics]:
    """Return mean and deviation of each group, as of each prompt, in order of appearance.

    Args:
        rewards: (N,), finite where valid.
        groups: Of each sample.
        valid: As of ``advantages``.

    Raises:
        DataError: As of ``advantages``.
    """
    members, is_valid = _members(rewards, groups, valid)
    found: dict[Hashable, GroupStatistics] = {}
    for group, own in members.items():
        of_group = rewards[[place for place in own if is_valid[place]]]
        # The deviation of equal numbers may round to more than 0.
        is_flat = bool((of_group == of_group[:1]).all())
        found[group] = GroupStatistics(
            count=len(of_group),
            invalid=len(own) - len(of_group),
            mean=float(of_group.mean()) if len(of_group) else None,
            std=(0.0 if is_flat else float(of_group.std(correction=0))) if len(of_group) else None,
        )
    return found


def group_spread(
    rewards: "torch.Tensor", groups: Sequence[Hashable], *, valid: "torch.Tensor | None" = None
) -> GroupSpread:
    """Return which groups tell their samples apart.

    Args:
        rewards: (N,), finite where valid.
        groups: Of each sample.
        valid: As of ``advantages``.

    Raises:
        DataError: There is not one group and one ``valid`` a sample, or a valid reward is not finite.
    """
    import torch

    _, is_valid = _members(rewards, groups, valid)
    deviations = {group: each.std for group, each in group_statistics(rewards, groups, valid=valid).items()}
    known = [std for std in deviations.values() if std is not None]
    spread = torch.tensor([bool(deviations[group]) for group in groups], device=rewards.device)
    return GroupSpread(
        is_spread=spread & is_valid,
        zero_std_ratio=sum(std == 0 for std in known) / len(known) if known else 0.0,
        reward_std_mean=sum(known) / len(known) if known else 0.0,
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


def _members(
    rewards: "torch.Tensor", groups: Sequence[Hashable], valid: "torch.Tensor | None"
) -> "tuple[dict[Hashable, list[int]], torch.Tensor]":
    """Return {group: places of its samples}, in order of appearance, and which samples are valid."""
    import torch

    if rewards.ndim != 1 or len(rewards) != len(groups) or not len(groups):
        raise DataError(
            f"`rewards` has shape {tuple(rewards.shape)} for {len(groups)} entries of `groups`; expected one reward "
            "and one group a sample. Pass the prompt of each sample."
        )
    if valid is not None and valid.shape != rewards.shape:
        raise DataError(
            f"`valid` has shape {tuple(valid.shape)} for {len(rewards)} rewards; expected one for each, as rewards "
            "return them."
        )
    whole = torch.ones(rewards.shape, dtype=torch.bool, device=rewards.device)
    is_valid = whole if valid is None else valid.to(rewards.device) > 0
    lacking = (~rewards.isfinite() & is_valid).nonzero().flatten().tolist()
    if lacking:
        raise DataError(
            f"`rewards` has {float(rewards[lacking[0]])} at place {lacking[0]}; expected finite numbers. Leave out "
            "samples that could not be scored: give `valid`, as rewards return it."
        )
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    return members, is_valid
