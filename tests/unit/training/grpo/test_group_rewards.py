"""From batches of rewards to advantages: what is invalid, what is flat, what is mixed, what is logged."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from anisora.harness.protocols import RewardBatch, RewardInfo
from anisora.harness.types import Condition
from anisora.reward.trainer_reward import TrainerReward

torch = pytest.importorskip("torch")

from anisora.training.grpo.advantages import DANCE_GRPO, FLOW_GRPO, advantages, mixed_advantages  # noqa: E402
from anisora.training.grpo.group_rewards import GroupRewards, StepAdvantages  # noqa: E402

NAN = math.nan
GROUPS = (0, 0, 0, 1, 1, 1)


class Told:
    """A reward of two dimensions whose numbers are given; the second one counts twice, less of it being better."""

    info = RewardInfo(name="told", dimensions=("a", "b", "aside"), weights=(1.0, -2.0, 0.0), fingerprint="told")

    def __init__(self, a: Sequence[float], b: Sequence[float]) -> None:
        self._columns = np.array([a, b], np.float32)

    def __call__(
        self, videos: Any, prompts: Sequence[str], images: Sequence[Condition] | None = None, *, fps: float
    ) -> RewardBatch:
        """Return the numbers of the clips, which are named by their first pixels."""
        a, b = self._columns[:, np.asarray(videos)[:, 0, 0, 0, 0]]
        total = (a - 2 * b) / 3
        return RewardBatch(
            total=total, dimensions={"a": a, "b": b, "aside": a * 0 + 7}, valid=np.isfinite(total), seconds=0.5
        )


def compared(
    a: Sequence[float], b: Sequence[float], *, mixing: Any = "total", rule: Any = FLOW_GRPO, **policy: Any
) -> StepAdvantages:
    reward = TrainerReward(Told(a, b), **policy)
    rewards = GroupRewards(reward, mixing=mixing, rule=rule, limit=5.0, gather=lambda rows: rows)
    videos = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1, 1).repeat(3, 2)
    batches = [reward(videos[own], [""] * 3, fps=16) for own in (slice(3), slice(3, 6))]
    return rewards.compared(batches, GROUPS)


A, B = (1.0, 2.0, 4.0, 0.5, 0.1, 0.2), (3.0, 1.0, 2.0, 9.0, 7.0, 8.0)


def test_the_total_is_compared_within_groups() -> None:
    total = (torch.tensor(A) - 2 * torch.tensor(B)) / 3
    found = compared(A, B)
    torch.testing.assert_close(found.values, advantages(total, GROUPS, FLOW_GRPO))
    assert found.is_spread.all()


def test_each_dimension_is_compared_for_itself() -> None:
    columns = {"a": torch.tensor(A), "b": torch.tensor(B)}
    wanted = mixed_advantages(columns, GROUPS, {"a": 1.0, "b": -2.0}, DANCE_GRPO)
    torch.testing.assert_close(compared(A, B, mixing="dimensions", rule=DANCE_GRPO).values, wanted)


@pytest.mark.parametrize("mixing", ["total", "dimensions"])
def test_a_group_without_spread_is_masked_and_rounding_makes_no_advantage_of_it(mixing: str) -> None:
    found = compared((*A[:3], 0.1, 0.1, 0.1), (*B[:3], 0.7, 0.7, 0.7), mixing=mixing, rule=DANCE_GRPO)
    assert found.is_spread.tolist() == [True] * 3 + [False] * 3
    assert found.values[3:].tolist() == [0, 0, 0]
    assert found.values[:3].abs().min() > 0
    assert found.numbers["reward/zero_std_ratio"] == 0.5


def test_a_dimension_that_is_flat_adds_nothing() -> None:
    found = compared(A, (0.7,) * 6, mixing="dimensions", rule=DANCE_GRPO)
    torch.testing.assert_close(found.values, advantages(torch.tensor(A), GROUPS, DANCE_GRPO))


@pytest.mark.parametrize("mixing", ["total", "dimensions"])
def test_what_is_skipped_has_no_advantage_and_is_in_no_mean(mixing: str) -> None:
    found = compared((*A[:5], NAN), B, mixing=mixing)
    fewer = compared(A, B, mixing=mixing)
    assert found.values[5] == 0
    torch.testing.assert_close(found.values[:3], fewer.values[:3])
    if mixing == "total":
        pair = (torch.tensor(A[3:5]) - 2 * torch.tensor(B[3:5])) / 3
        torch.testing.assert_close(found.values[3:5], advantages(pair, (0, 0), FLOW_GRPO))
    assert found.numbers["reward/a/mean"] == pytest.approx(np.mean(A[:5]), rel=1e-6)
    assert found.numbers["reward/b/mean"] == pytest.approx(np.mean(B), rel=1e-6)
    assert found.numbers["reward/invalid_ratio"] == pytest.approx(1 / 6)


def test_a_constant_is_compared_with_those_that_have_a_reward() -> None:
    found = compared((*A[:5], NAN), B, invalid=-9.0)
    total = (torch.tensor(A[3:5]) - 2 * torch.tensor(B[3:5])) / 3
    rewards = torch.cat([total, torch.tensor([-9.0])])
    valid = torch.tensor([True, True, False])
    wanted = advantages(rewards, (0, 0, 0), FLOW_GRPO, valid=valid).clamp(-5, 5)
    torch.testing.assert_close(found.values[3:], wanted)
    assert found.values[5] == -5
    measured = (torch.tensor(A[:5]) - 2 * torch.tensor(B[:5])) / 3
    assert found.numbers["reward/total/min"] == pytest.approx(float(measured.min()))


def test_a_constant_is_as_bad_where_less_is_better() -> None:
    found = compared(A, (*B[:5], NAN), mixing="dimensions", invalid=-99.0)
    assert found.values[5] < found.values[3:5].min()


def test_all_of_a_group_may_be_invalid() -> None:
    found = compared((*A[:3], NAN, NAN, NAN), B, invalid=-1.0)
    assert found.values[3:].tolist() == [0, 0, 0]
    assert found.is_spread.tolist() == [True] * 3 + [False] * 3


def test_the_log_has_every_dimension() -> None:
    numbers = compared(A, B).numbers
    assert numbers["reward/a/max"] == 4
    assert numbers["reward/a/min"] == pytest.approx(0.1)
    assert numbers["reward/a/std"] == pytest.approx(np.std(A), rel=1e-6)
    assert numbers["reward/aside/std"] == 0
    assert {name.split("/")[1] for name in numbers if name.count("/") == 2} == {"total", "a", "b", "aside"}
    assert {"reward/zero_std_ratio", "reward/invalid_ratio", "reward/seconds_p50", "reward/seconds_p95"} <= set(numbers)
