"""Rewards, their metrics and extractors by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "rewards": {
        "metric_reward": "anisora.reward.metric_reward:MetricReward",
    },
    "metrics": {
        "visual_appeal": "anisora.reward.visual_appeal:VisualAppeal",
        "visual_smoothness": "anisora.reward.visual_smoothness:VisualSmoothness",
    },
    "extractors": {
        "idefics2_appeal": "anisora.reward.extractors.idefics2_appeal:Idefics2Appeal",
        "idefics2_smooth": "anisora.reward.extractors.idefics2_smooth:Idefics2Smooth",
    },
    "parity": {
        "c01_idefics2_regressor": "anisora.reward.golden.idefics2_regressor:handle",
        "c05b_gallery_score": "anisora.reward.golden.gallery_score:handle",
        "c07_mask_crop": "anisora.reward.golden.mask_crop:handle",
        "c08a_kalman_box_filter": "anisora.reward.golden.kalman_box_filter:handle",
        "c08b_samurai_selection": "anisora.reward.golden.samurai_selection:handle",
    },
    "ledgers": {
        "reward": "anisora.reward:weights.yaml",
    },
}
