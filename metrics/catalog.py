"""Metrics and extractors by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "metrics": {
        "animation_timing": "anisora.metrics.core.animation_timing:AnimationTiming",
        "colourfulness": "anisora.metrics.core.colourfulness:Colourfulness",
        "condition_fidelity": "anisora.metrics.core.condition_fidelity:ConditionFidelity",
        "face_kept": "anisora.metrics.local.face_kept:FaceKept",
        "feature_consistency": "anisora.metrics.local.feature_consistency:FeatureConsistency",
        "first_frame_feature_similarity": (
            "anisora.metrics.local.first_frame_feature_similarity:FirstFrameFeatureSimilarity"
        ),
        "flow_magnitude": "anisora.metrics.core.flow_magnitude:FlowMagnitude",
        "hallucinated_text": "anisora.metrics.local.hallucinated_text:HallucinatedText",
        "held_frame_ratio": "anisora.metrics.core.held_frame_ratio:HeldFrameRatio",
        "line_stability": "anisora.metrics.core.line_stability:LineStability",
        "palette_drift": "anisora.metrics.core.palette_drift:PaletteDrift",
        "psnr": "anisora.metrics.core.psnr:Psnr",
        "region_leakage": "anisora.metrics.core.region_leakage:RegionLeakage",
        "region_motion_ratio": "anisora.metrics.core.region_motion_ratio:RegionMotionRatio",
        "scene_cut_rate": "anisora.metrics.local.scene_cut_rate:SceneCutRate",
        "sharpness": "anisora.metrics.core.sharpness:Sharpness",
        "ssim": "anisora.metrics.core.ssim:Ssim",
        "technical_quality_brisque": "anisora.metrics.local.technical_quality_brisque:TechnicalQualityBrisque",
        "technical_quality_niqe": "anisora.metrics.local.technical_quality_niqe:TechnicalQualityNiqe",
        "temporal_flickering": "anisora.metrics.core.temporal_flickering:TemporalFlickering",
        "warping_error": "anisora.metrics.core.warping_error:WarpingError",
    },
    "extractors": {
        "anime_faces": "anisora.metrics.extractors.anime_faces:AnimeFaces",
        "anime_faces_images": "anisora.metrics.extractors.anime_faces_images:AnimeFacesImages",
        "brisque": "anisora.metrics.extractors.brisque:Brisque",
        "colour_statistics": "anisora.metrics.extractors.colour_statistics:ColourStatistics",
        "dis_flow": "anisora.metrics.extractors.dis_flow:DisFlow",
        "drawing_change": "anisora.metrics.extractors.drawing_change:DrawingChange",
        "efficientnet_lite0": "anisora.metrics.extractors.efficientnet_lite0:EfficientnetLite0",
        "efficientnet_lite0_images": "anisora.metrics.extractors.efficientnet_lite0_images:EfficientnetLite0Images",
        "frame_fidelity": "anisora.metrics.extractors.frame_fidelity:FrameFidelity",
        "frame_statistics": "anisora.metrics.extractors.frame_statistics:FrameStatistics",
        "keyframe_fidelity": "anisora.metrics.extractors.keyframe_fidelity:KeyframeFidelity",
        "niqe": "anisora.metrics.extractors.niqe:Niqe",
        "rapid_ocr": "anisora.metrics.extractors.rapid_ocr:RapidOcr",
        "rapid_ocr_images": "anisora.metrics.extractors.rapid_ocr_images:RapidOcrImages",
        "region_motion": "anisora.metrics.extractors.region_motion:RegionMotion",
        "temporal_difference": "anisora.metrics.extractors.temporal_difference:TemporalDifference",
        "transnet_v2": "anisora.metrics.extractors.transnet_v2:TransnetV2",
    },
    "ledgers": {
        "metrics": "anisora.metrics:weights.yaml",
    },
}
