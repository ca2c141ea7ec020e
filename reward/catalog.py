"""Rewards by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "metrics": {
        "image_video_consistency": "anisora.reward.image_video_consistency:ImageVideoConsistency",
        "text_video_consistency": "anisora.reward.text_video_consistency:TextVideoConsistency",
    },
    "extractors": {
        "image_video_regressor": "anisora.reward.extractors.image_video_regressor:ImageVideoRegressor",
        "image_video_regressor_images": (
            "anisora.reward.extractors.image_video_regressor_images:ImageVideoRegressorImages"
        ),
        "text_video_regressor": "anisora.reward.extractors.text_video_regressor:TextVideoRegressor",
        "text_video_regressor_text": "anisora.reward.extractors.text_video_regressor_text:TextVideoRegressorText",
    },
    "rewards": {
        "metric_reward": "anisora.reward.metric_reward:MetricReward",
    },
    "commands": {
        "reward": "anisora.reward.commands:reward",
    },
    "parity": {
        "c03_image_video_regressor": "anisora.reward.golden.image_video_regressor:handle",
        "c04_text_video_regressor": "anisora.reward.golden.text_video_regressor:handle",
        "c05a_identity_embedder": "anisora.reward.golden.identity_embedder:handle",
        "c05b_gallery_score": "anisora.reward.golden.gallery_score:handle",
        "c07_mask_crop": "anisora.reward.golden.mask_crop:handle",
        "c08a_kalman_box_filter": "anisora.reward.golden.kalman_box_filter:handle",
        "c08b_samurai_selection": "anisora.reward.golden.samurai_selection:handle",
    },
    "ledgers": {
        "reward": "anisora.reward:weights.yaml",
    },
}
