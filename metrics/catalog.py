"""Metrics and extractors by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "metrics": {
        "condition_fidelity": "anisora.metrics.core.condition_fidelity:ConditionFidelity",
        "flow_magnitude": "anisora.metrics.core.flow_magnitude:FlowMagnitude",
        "psnr": "anisora.metrics.core.psnr:Psnr",
        "sharpness": "anisora.metrics.core.sharpness:Sharpness",
        "ssim": "anisora.metrics.core.ssim:Ssim",
        "temporal_flickering": "anisora.metrics.core.temporal_flickering:TemporalFlickering",
        "warping_error": "anisora.metrics.core.warping_error:WarpingError",
    },
    "extractors": {
        "dis_flow": "anisora.metrics.extractors.dis_flow:DisFlow",
        "frame_fidelity": "anisora.metrics.extractors.frame_fidelity:FrameFidelity",
        "frame_statistics": "anisora.metrics.extractors.frame_statistics:FrameStatistics",
        "keyframe_fidelity": "anisora.metrics.extractors.keyframe_fidelity:KeyframeFidelity",
        "temporal_difference": "anisora.metrics.extractors.temporal_difference:TemporalDifference",
    },
    "ledgers": {
        "metrics": "anisora.metrics:weights.yaml",
    },
}
