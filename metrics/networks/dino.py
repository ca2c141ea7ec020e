"""DINO ViT-B/16 on pictures of any shape (Caron et al. 2021; facebookresearch/dino, vision_transformer.py)."""

from typing import TYPE_CHECKING, Any, Final

from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors

if TYPE_CHECKING:
    import torch

__all__ = ["DIMENSIONS", "PATCH", "WEIGHTS", "DinoVitB16"]

WEIGHTS: Final = "dino-vitb16"
PATCH: Final = 16
DIMENSIONS: Final = 768
_GRID: Final = 14


class DinoVitB16:
    """The class token of the last layer, normalised by LayerNorm.

    timm's transformer with DINO's handling of other shapes than 224x224: pixels beyond a whole number of patches are
    left out, and the position embeddings are resized by a scale factor with 0.1 added to each side, not to a size.
    """

    def __init__(self, state: Tensors | None = None) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
        """
        self.module: Any = filled(self.empty(), WEIGHTS, state=state)

    @staticmethod
    def empty() -> "torch.nn.Module":
        """Return the module without numbers; its keys are those of the published file."""
        from timm.models.vision_transformer import VisionTransformer

        with without_numbers():
            return VisionTransformer(img_size=224, patch_size=PATCH, num_classes=0, global_pool="token")

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the features of pictures.

        Args:
            pixels: (N, 3, h, w) float32, normalised by ImageNet's mean and deviation; sides of 16 and more.

        Returns:
            (N, 768) float32 on the CPU.
        """
        import torch

        module = self.module
        rows, columns = pixels.shape[2] // PATCH, pixels.shape[3] // PATCH
        with inference():
            cut = pixels[:, :, : rows * PATCH, : columns * PATCH].to(module.cls_token.device)
            patches = module.patch_embed.proj(cut).flatten(2).transpose(1, 2)
            token = module.cls_token.expand(len(patches), -1, -1)
            hidden = torch.cat([token, patches], dim=1) + self._positions(rows, columns)
            features: torch.Tensor = module.norm(module.blocks(hidden))[:, 0]
        return features.cpu()

    def _positions(self, rows: int, columns: int) -> "torch.Tensor":
        import torch

        embedded: torch.Tensor = self.module.pos_embed
        if (rows, columns) == (_GRID, _GRID):
            return embedded
        grid = embedded[:, 1:].reshape(1, _GRID, _GRID, DIMENSIONS).permute(0, 3, 1, 2)
        factors = ((rows + 0.1) / _GRID, (columns + 0.1) / _GRID)
        resized = torch.nn.functional.interpolate(grid, scale_factor=factors, mode="bicubic", align_corners=False)
        return torch.cat([embedded[:, :1], resized.permute(0, 2, 3, 1).reshape(1, -1, DIMENSIONS)], dim=1)
