"""Metrics and extractors by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "metrics": {
        "animation_timing": "anisora.metrics.core.animation_timing:AnimationTiming",
        "colourfulness": "anisora.metrics.core.colourfulness:Colourfulness",
        "condition_fidelity": "anisora.metrics.core.condition_fidelity:ConditionFidelity",
        "flow_magnitude": "anisora.metrics.core.flow_magnitude:FlowMagnitude",
        "held_frame_ratio": "anisora.metrics.core.held_frame_ratio:HeldFrameRatio",
        "line_stability": "anisora.metrics.core.line_stability:LineStability",
        "palette_drift": "anisora.metrics.core.palette_drift:PaletteDrift",
        "psnr": "anisora.metrics.core.psnr:Psnr",
        "region_leakage": "anisora.metrics.core.region_leakage:RegionLeakage",
        "region_motion_ratio": "anisora.metrics.core.region_motion_ratio:RegionMotionRatio",
        "sharpness": "anisora.metrics.core.sharpness:Sharpness",
        "ssim": "anisora.metrics.core.ssim:Ssim",
        "temporal_flickering": "anisora.metrics.core.temporal_flickering:TemporalFlickering",
        "warping_error": "anisora.metrics.core.warping_error:WarpingError",
    },
    "extractors": {
        "colour_statistics": "anisora.metrics.extractors.colour_statistics:ColourStatistics",
        "dis_flow": "anisora.metrics.extractors.dis_flow:DisFlow",
        "drawing_change": "anisora.metrics.extractors.drawing_change:DrawingChange",
        "frame_fidelity": "anisora.metrics.extractors.frame_fidelity:FrameFidelity",
        "frame_statistics": "anisora.metrics.extractors.frame_statistics:FrameStatistics",
        "keyframe_fidelity": "anisora.metrics.extractors.keyframe_fidelity:KeyframeFidelity",
        "region_motion": "anisora.metrics.extractors.region_motion:RegionMotion",
        "temporal_difference": "anisora.metrics.extractors.temporal_difference:TemporalDifference",
    },
    "ledgers": {
        "metrics": "anisora.metrics:weights.yaml",
    },
}
