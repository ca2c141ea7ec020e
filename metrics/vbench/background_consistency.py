"""Whether the scene stays the same, by CLIP's features of whole frames (VBench)."""

from anisora.metrics.vbench.frame_consistency import FrameConsistency

__all__ = ["BackgroundConsistency"]


class BackgroundConsistency(FrameConsistency):
    """By the whole picture: CLIP ViT-B/32."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__("background_consistency", "Background consistency", "clip_vit_b32")
