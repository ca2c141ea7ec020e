"""Rewards, their metrics, extractors and commands by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "metrics": {
        "character_consistency": "anisora.reward.character_consistency:CharacterConsistency",
        "fitted_head": "anisora.reward.fitted_head:FittedHead",
        "image_video_consistency": "anisora.reward.image_video_consistency:ImageVideoConsistency",
        "text_video_consistency": "anisora.reward.text_video_consistency:TextVideoConsistency",
        "visual_appeal": "anisora.reward.visual_appeal:VisualAppeal",
        "visual_motion": "anisora.reward.visual_motion:VisualMotion",
        "visual_smoothness": "anisora.reward.visual_smoothness:VisualSmoothness",
    },
    "extractors": {
        "character_embeddings": "anisora.reward.extractors.character_embeddings:CharacterEmbeddings",
        "idefics2_appeal": "anisora.reward.extractors.idefics2_appeal:Idefics2Appeal",
        "idefics2_smooth": "anisora.reward.extractors.idefics2_smooth:Idefics2Smooth",
        "image_video_regressor": "anisora.reward.extractors.image_video_regressor:ImageVideoRegressor",
        "image_video_regressor_images": (
            "anisora.reward.extractors.image_video_regressor_images:ImageVideoRegressorImages"
        ),
        "text_video_regressor": "anisora.reward.extractors.text_video_regressor:TextVideoRegressor",
        "text_video_regressor_text": "anisora.reward.extractors.text_video_regressor_text:TextVideoRegressorText",
    },
    "rewards": {
        "anime-reward": "anisora.reward.anime_reward:AnimeReward",
        "combined": "anisora.reward.combined_reward:CombinedReward",
        "fitted_head": "anisora.reward.fitted_head:fitted_head_reward",
        "metric_reward": "anisora.reward.metric_reward:MetricReward",
    },
    "commands": {
        "reward": "anisora.reward.commands:reward",
    },
    "parity": {
        "c01_idefics2_regressor": "anisora.reward.golden.idefics2_regressor:handle",
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
