"""Whether the frames look like the conditioning image as a whole, by DreamSim (VBench-I2V)."""

from anisora.metrics.vbench.image_similarity import ImageSimilarity

__all__ = ["I2vBackground"]


class I2vBackground(ImageSimilarity):
    """By the whole picture: the DreamSim ensemble."""

    def __init__(self, resize: str = "tv017") -> None:
        """Choose how frames are resized.

        Args:
            resize: ``tv017``, antialiased, or ``legacy``, as torchvision did before 0.17.

        Raises:
            ConfigError: It is neither.
        """
        super().__init__("i2v_background", "I2V background", "dreamsim_ensemble", "dreamsim_ensemble_images", resize)
