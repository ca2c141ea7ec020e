"""Rewards by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "rewards": {
        "metric_reward": "anisora.reward.metric_reward:MetricReward",
    },
    "ledgers": {
        "reward": "anisora.reward:weights.yaml",
    },
}
