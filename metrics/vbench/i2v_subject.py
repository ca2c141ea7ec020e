"""Whether the frames keep what the conditioning image shows, by DINO's features (VBench-I2V)."""

from anisora.metrics.vbench.image_similarity import ImageSimilarity

__all__ = ["I2vSubject"]


class I2vSubject(ImageSimilarity):
    """By the subject: DINO ViT-B/16."""

    def __init__(self, resize: str = "tv017") -> None:
        """Choose how frames are resized.

        Args:
            resize: ``tv017``, antialiased, or ``legacy``, as torchvision did before 0.17.

        Raises:
            ConfigError: It is neither.
        """
        super().__init__("i2v_subject", "I2V subject", "dino_vitb16:view=cropped", "dino_vitb16_images", resize)
