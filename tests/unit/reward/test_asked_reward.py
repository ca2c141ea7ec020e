import math
from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.reward.asked_reward import asked_reward
from anisora.reward.combined_reward import CombinedReward
from anisora.reward.metric_reward import MetricReward, reward

CALM = "calm=metric_reward:temporal_flickering=1"
SHARP = "sharp=metric_reward:sharpness=0.01"


def test_one_specification_is_that_reward() -> None:
    made = asked_reward(["metric_reward:sharpness=0.01,temporal_flickering=1"])
    assert isinstance(made, MetricReward)
    assert made.info == reward("metric_reward:sharpness=0.01,temporal_flickering=1").info


def test_several_are_weighted_by_name() -> None:
    made = asked_reward([CALM, SHARP], ["sharp=-0.5"])
    assert isinstance(made, CombinedReward)
    weights = dict(zip(made.info.dimensions, made.info.weights, strict=True))
    assert (weights["calm"], weights["sharp"]) == (1.0, -0.5)
    assert weights["calm/temporal_flickering"] == 0.0


def test_the_range_of_a_total_follows_from_those_of_the_metrics() -> None:
    assert reward("metric_reward:temporal_flickering=1").info.value_range == (0.0, 1.0)
    assert reward("metric_reward:temporal_flickering=-2").info.value_range == (-1.0, 0.0)
    both = reward("metric_reward:temporal_flickering=3,sharpness=1").info.value_range
    assert both == (0.0, math.inf)
    twice = asked_reward([CALM, "other=metric_reward:temporal_flickering=-1"], ["other=3"])
    assert twice.info.value_range == (-0.75, 0.25)


@pytest.mark.parametrize(
    ("specs", "weights", "message"),
    [
        ([], [], "`--reward` is missing; expected a reward"),
        (["metric_reward:sharpness=1"], ["sharp=1"], "whose weight changes nothing; leave it out"),
        ([CALM, "metric_reward:sharpness=1"], [], "beside others; expected NAME=SPEC"),
        ([CALM, CALM], [], "expected NAME=SPEC with a name of its own"),
        ([CALM, SHARP], ["loud=1"], "`weights` got 'loud'; expected some of calm, sharp"),
        ([CALM, SHARP], ["calm=much"], "`--weight` got 'calm=much'; expected NAME=NUMBER"),
        ([CALM, SHARP], ["calm=0"], "Weight of 'calm' got 0.0; expected a number other than 0"),
    ],
)
def test_what_cannot_be_is_named(specs: list[str], weights: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        asked_reward(specs, weights)


def test_a_reward_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Reward 'metric_rewards' is not known"):
        asked_reward(["metric_rewards:sharpness=1"])


def test_constants_are_those_of_every_reward(tmp_path: Path) -> None:
    from anisora.reward.constants import Constants, DimensionConstants, write_constants

    protocols = reward("metric_reward:temporal_flickering=1,sharpness=1").info.protocols
    dimensions = {
        name: DimensionConstants(mean=0.5, std=0.25, count=2, left_out=0, protocol=protocol)
        for name, protocol in protocols.items()
    }
    write_constants(Constants(name="ours", dimensions=dimensions, runs=()), tmp_path / "constants.json")
    made = asked_reward([CALM, SHARP], constants=tmp_path / "constants.json")
    assert made.info.constants.count("ours@") == 2
    assert made.info.value_range is None
