"""Rewards by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "metrics": {
        "fitted_head": "anisora.reward.fitted_head:FittedHead",
    },
    "commands": {
        "reward": "anisora.reward.commands:reward",
    },
    "rewards": {
        "fitted_head": "anisora.reward.fitted_head:fitted_head_reward",
        "metric_reward": "anisora.reward.metric_reward:MetricReward",
    },
    "parity": {
        "c05b_gallery_score": "anisora.reward.golden.gallery_score:handle",
        "c07_mask_crop": "anisora.reward.golden.mask_crop:handle",
        "c08a_kalman_box_filter": "anisora.reward.golden.kalman_box_filter:handle",
        "c08b_samurai_selection": "anisora.reward.golden.samurai_selection:handle",
    },
    "ledgers": {
        "reward": "anisora.reward:weights.yaml",
    },
}
