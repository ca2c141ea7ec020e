"""The image towers of OpenAI's CLIP (Radford et al. 2021), on open_clip."""

from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors

if TYPE_CHECKING:
    import torch

__all__ = ["TOWERS", "UNUSED_KEYS", "WEIGHTS", "ClipImageTower"]

WEIGHTS: Final = {"ViT-L/14": "clip-vit-l14", "ViT-B/32": "clip-vit-b32"}
"""{tower: entry of the ledger}"""
TOWERS: Final = {"ViT-L/14": "ViT-L-14-quickgelu", "ViT-B/32": "ViT-B-32-quickgelu"}
"""{tower: its name in open_clip}: OpenAI's towers have the quick approximation of GELU."""
UNUSED_KEYS: Final = (
    "transformer.*",
    "token_embedding.*",
    "ln_final.*",
    "positional_embedding",
    "text_projection",
    "logit_scale",
    "input_resolution",
    "context_length",
    "vocab_size",
)
"""What the published files hold beside the image tower."""


class ClipImageTower:
    """From pictures to features, before any normalisation."""

    def __init__(self, tower: str, state: Tensors | None = None) -> None:
        """Make the network.

        Args:
            tower: ``ViT-L/14`` or ``ViT-B/32``.
            state: Tensors under the keys of the published file, in place of the file.

        Raises:
            ConfigError: There is no such tower.
            WeightsMissing: The file is absent or not the ledger's.
        """
        self.module: Any = filled(
            self.empty(tower), WEIGHTS[tower], state=state, rename=_inside_the_tower, superfluous=UNUSED_KEYS
        )

    @staticmethod
    def empty(tower: str) -> "torch.nn.Module":
        """Return the image tower without numbers; the published file has its keys with ``visual.`` before them.

        Raises:
            ConfigError: There is no such tower.
        """
        if tower not in TOWERS:
            raise ConfigError(f"`tower` got {tower!r}; expected one of {', '.join(TOWERS)}.")
        import open_clip

        with without_numbers():
            tower_alone: torch.nn.Module = open_clip.model.CLIP(**open_clip.get_model_config(TOWERS[tower])).visual
        return tower_alone

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the features of pictures.

        Args:
            pixels: (N, 3, 224, 224) float32, normalised by CLIP's mean and deviation.

        Returns:
            (N, 768) of ViT-L/14, (N, 512) of ViT-B/32: float32 on the CPU.
        """
        with inference():
            features: torch.Tensor = self.module(pixels.to(self.module.class_embedding.device))
        return features.cpu()


def _inside_the_tower(key: str) -> str:
    return key.removeprefix("visual.")
