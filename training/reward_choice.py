"""The reward that a configuration names."""

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import RewardModel
from anisora.reward.combined_reward import CombinedReward
from anisora.reward.metric_reward import reward
from anisora.training.config import GrpoConfig, OnlineConfig

__all__ = ["reward_of"]


def reward_of(config: GrpoConfig | OnlineConfig) -> RewardModel:
    """Make the reward of a configuration; it is closed by who uses it.

    Raises:
        UnknownNameError: There is no such reward or metric.
        ConfigError: Weights or constants do not fit it.
        DataError: The file of constants is none.
    """
    if isinstance(config.reward, str):
        if config.weights is not None:
            raise ConfigError(
                f"`weights` got {config.weights} for one reward, {config.reward!r}; expected them beside several, "
                "{name: reward}. Write the weights of metrics into it: metric_reward:sharpness=1,warping_error=-1."
            )
        return reward(config.reward, constants=config.constants)
    return CombinedReward(config.reward, config.weights, constants=config.constants)
