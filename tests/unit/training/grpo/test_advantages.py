import math
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.grpo.advantages import (  # noqa: E402
    DANCE_GRPO,
    DANCE_GRPO_GLOBAL,
    FLOW_GRPO_GLOBAL_STD,
    AdvantageRule,
    advantages,
    clamped,
    consecutive_groups,
    group_spread,
    group_statistics,
    mixed_advantages,
)

REWARDS = torch.tensor([0.1, 3.0, 0.4, 5.0, 0.7, 4.5, 0.9, 9.0], dtype=torch.float64)
PROMPTS = ["a", "b"] * 4
EXACT = AdvantageRule(epsilon=1e-12)


def test_groups_have_mean_zero_and_deviation_one_wherever_their_samples_lie() -> None:
    found = advantages(REWARDS, PROMPTS, EXACT)
    for group in (found[::2], found[1::2]):
        assert float(group.mean()) == pytest.approx(0, abs=1e-9)
        assert float(group.std(correction=0)) == pytest.approx(1)
    shuffled = torch.tensor([5, 0, 7, 2, 1, 6, 3, 4])
    torch.testing.assert_close(advantages(REWARDS[shuffled], [PROMPTS[at] for at in shuffled], EXACT), found[shuffled])


def test_scale_and_offset_of_a_group_do_not_matter() -> None:
    torch.testing.assert_close(advantages(REWARDS * 7 - 3, PROMPTS, EXACT), advantages(REWARDS, PROMPTS, EXACT))


def test_the_rules_differ_in_deviation_mean_and_epsilon() -> None:
    values, own = REWARDS.numpy(), REWARDS.numpy()[::2]
    first = {
        "default": (values[0] - own.mean()) / (own.std() + 1e-4),
        "flow, all": (values[0] - own.mean()) / (values.std() + 1e-4),
        "dance": (values[0] - own.mean()) / (own.std(ddof=1) + 1e-8),
        "dance, all": (values[0] - values.mean()) / (values.std(ddof=1) + 1e-8),
    }
    rules = (AdvantageRule(), FLOW_GRPO_GLOBAL_STD, DANCE_GRPO, DANCE_GRPO_GLOBAL)
    found = [float(advantages(REWARDS, PROMPTS, rule)[0]) for rule in rules]
    np.testing.assert_allclose(found, list(first.values()), rtol=1e-12)


def test_a_flat_group_has_no_advantage_and_is_told() -> None:
    rewards = torch.tensor([0.1, 0.7, 0.2, 0.7, 0.4, 0.7], dtype=torch.float64)
    prompts = ["a", "b"] * 3
    assert advantages(rewards, prompts)[1::2].abs().max() < 1e-9
    spread = group_spread(rewards, prompts)
    assert spread.is_spread.tolist() == [True, False] * 3
    assert spread.zero_std_ratio == 0.5
    assert spread.reward_std_mean == pytest.approx(float(np.std([0.1, 0.2, 0.4])) / 2)


def test_each_dimension_counts_for_itself() -> None:
    rewards = {"quality": REWARDS, "motion": REWARDS.flip(0) * 1000}
    found = mixed_advantages(rewards, PROMPTS, {"quality": 1.0, "motion": 0.5})
    alone = {name: advantages(each, PROMPTS, DANCE_GRPO) for name, each in rewards.items()}
    torch.testing.assert_close(found, alone["quality"] + 0.5 * alone["motion"])
    rewards["motion"] = torch.full_like(REWARDS, math.nan)
    torch.testing.assert_close(mixed_advantages(rewards, PROMPTS, {"quality": 1.0, "motion": 0.0}), alone["quality"])


def test_advantages_are_cut_on_both_sides() -> None:
    assert clamped(torch.tensor([-9.0, -1.0, 6.0]), 5).tolist() == [-5, -1, 5]


def test_samples_of_a_prompt_follow_each_other() -> None:
    assert consecutive_groups(6, 3) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: consecutive_groups(7, 2), ConfigError, "`size` got 2 for 7 samples; expected a divisor"),
        (lambda: consecutive_groups(4, 0), ConfigError, "`size` got 0"),
        (lambda: advantages(REWARDS, PROMPTS[:3]), DataError, r"`rewards` has shape \(8,\) for 3 entries of `groups`"),
        (lambda: advantages(REWARDS[:0], []), DataError, r"`rewards` has shape \(0,\)"),
        (
            lambda: advantages(REWARDS[:2], "ab", DANCE_GRPO),
            DataError,
            "`rewards` has 1 in a group; expected 2 or more",
        ),
        (
            lambda: group_spread(torch.tensor([1.0, math.nan]), "aa"),
            DataError,
            "`rewards` has nan at place 1; expected finite numbers",
        ),
        (
            lambda: mixed_advantages({"quality": REWARDS}, PROMPTS, {"motion": 1.0}),
            ConfigError,
            r"`coefficients` names \['motion'\].*expected a weight for each of \['quality'\]",
        ),
        (
            lambda: mixed_advantages({"quality": REWARDS}, PROMPTS, {"quality": 0}),
            ConfigError,
            "some other than 0: False",
        ),
        (lambda: clamped(REWARDS, 0), ConfigError, "`limit` got 0; expected a positive number"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, error: type[AnisoraError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_could_not_be_scored_is_in_no_mean_and_pushes_nowhere() -> None:
    valid = torch.tensor([True] * 8)
    valid[0], valid[3] = False, False
    rewards = REWARDS.clone()
    rewards[0] = math.nan
    rewards[3] = -1.0  # a constant that was put in place
    kept = [place for place in range(8) if valid[place]]
    for rule in (AdvantageRule(), DANCE_GRPO, FLOW_GRPO_GLOBAL_STD, DANCE_GRPO_GLOBAL):
        found = advantages(rewards, PROMPTS, rule, valid=valid)
        without = advantages(rewards[kept], [PROMPTS[place] for place in kept], rule)
        torch.testing.assert_close(found[kept], without)
        assert found[0] == 0
        assert found[3] < found[1]  # the constant is compared with its group, and did not lower it
    mixed = mixed_advantages({"quality": rewards, "motion": rewards}, PROMPTS, {"quality": 1, "motion": 1}, valid=valid)
    torch.testing.assert_close(mixed, 2 * advantages(rewards, PROMPTS, DANCE_GRPO, valid=valid))
    torch.testing.assert_close(advantages(REWARDS, PROMPTS, valid=torch.ones(8)), advantages(REWARDS, PROMPTS))


def test_a_group_without_enough_valid_samples_has_no_advantage() -> None:
    rewards = torch.tensor([0.5, -1.0, math.nan, math.nan, 2.0, 2.0, -1.0])
    prompts, valid = list("aabbccc"), torch.tensor([1, 0, 0, 0, 1, 1, 0])
    assert advantages(rewards, prompts, DANCE_GRPO, valid=valid).tolist() == [0.0] * 7
    spread = group_spread(rewards, prompts, valid=valid)
    assert not spread.is_spread.any()
    assert (spread.zero_std_ratio, spread.reward_std_mean) == (1.0, 0.0)


def test_statistics_of_each_prompt_leave_out_what_could_not_be_scored() -> None:
    rewards = torch.tensor([1.0, 3.0, math.nan, math.nan], dtype=torch.float64)
    found = group_statistics(rewards, ["a", "a", "a", "b"], valid=rewards.isfinite())
    assert (found["a"].count, found["a"].invalid, found["a"].mean, found["a"].std) == (2, 1, 2.0, 1.0)
    assert (found["b"].count, found["b"].invalid, found["b"].mean, found["b"].std) == (0, 1, None, None)
    spread = group_spread(rewards, ["a", "a", "a", "b"], valid=rewards.isfinite())
    assert spread.is_spread.tolist() == [True, True, False, False]
    assert (spread.zero_std_ratio, spread.reward_std_mean) == (0.0, 1.0)
    with pytest.raises(DataError, match=r"`valid` has shape \(3,\) for 4 rewards"):
        group_statistics(rewards, "aaab", valid=torch.ones(3))
    with pytest.raises(DataError, match="nan at place 2"):
        advantages(rewards, "aaab", valid=torch.ones(4))
