"""Whether what is shown stays the same, by DINO's features (VBench)."""

from anisora.metrics.vbench.frame_consistency import FrameConsistency

__all__ = ["SubjectConsistency"]


class SubjectConsistency(FrameConsistency):
    """By the subject: DINO ViT-B/16."""

    def __init__(self) -> None:
        """Take no arguments."""
        super().__init__("subject_consistency", "Subject consistency", "dino_vitb16")
