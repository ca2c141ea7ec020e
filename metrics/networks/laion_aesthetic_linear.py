"""LAION's first aesthetic predictor: one linear layer on normalised CLIP ViT-L/14 features.

github.com/LAION-AI/aesthetic-predictor, ``sa_0_4_vit_l_14_linear.pth``. The second version, a head of several layers,
gives other numbers.
"""

from typing import TYPE_CHECKING, Any, Final

from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors
from anisora.metrics.networks.clip import ClipImageTower

if TYPE_CHECKING:
    import torch

__all__ = ["HEAD_WEIGHTS", "TOWER", "AestheticPredictor"]

TOWER: Final = "ViT-L/14"
HEAD_WEIGHTS: Final = "laion-aesthetic-v1"
_DIMENSIONS: Final = 768


class AestheticPredictor:
    """From pictures to scores of about 0 to 10."""

    def __init__(self, tower_state: Tensors | None = None, head_state: Tensors | None = None) -> None:
        """Make the network.

        Args:
            tower_state: Tensors of CLIP ViT-L/14 in place of the file.
            head_state: ``weight`` (1, 768) and ``bias`` (1,) in place of the file.

        Raises:
            WeightsMissing: A file is absent or not the ledger's.
        """
        self._tower = ClipImageTower(TOWER, tower_state)
        self._head: Any = filled(self.empty_head(), HEAD_WEIGHTS, state=head_state)

    @staticmethod
    def empty_head() -> "torch.nn.Module":
        """Return the linear layer without numbers; its keys are those of the published file."""
        import torch

        with without_numbers():
            return torch.nn.Linear(_DIMENSIONS, 1)

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the scores of pictures.

        Args:
            pixels: (N, 3, 224, 224) float32, normalised by CLIP's mean and deviation.

        Returns:
            (N,) float32 on the CPU.
        """
        import torch

        features = torch.nn.functional.normalize(self._tower(pixels), dim=-1)
        with inference():
            scores: torch.Tensor = self._head(features.to(self._head.weight.device))[:, 0]
        return scores.cpu()
