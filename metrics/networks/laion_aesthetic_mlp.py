"""LAION's second aesthetic predictor: five linear layers on normalised CLIP ViT-L/14 features.

github.com/christophschuhmann/improved-aesthetic-predictor, ``sac+logos+ava1-l14-linearMSE.pth``, as the reference's
data pipeline uses it (data_pipeline/net/net.py, infer_utils.py, infer_single.py). The first version, one layer, gives
other numbers.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors

if TYPE_CHECKING:
    import torch

__all__ = ["LAYERS", "WEIGHTS", "WIDTHS", "LaionAestheticMlp", "clip_score", "rounded_scores"]

WEIGHTS: Final = "laion-aesthetic-v2"
WIDTHS: Final = (768, 1024, 128, 64, 16, 1)
"""Of the input and of each layer's output."""
LAYERS: Final = (0, 2, 4, 6, 7)
"""Numbers of the layers in the published keys; those between are dropout, which does nothing here."""
_DECIMALS: Final = 5


class LaionAestheticMlp:
    """From features of pictures to scores of about 1 to 10.

    There is no activation between the layers: the whole is an affine function of the normalised features.
    """

    def __init__(
        self, state: Tensors | None = None, *, widths: Sequence[int] = WIDTHS, layers: Sequence[int] = LAYERS
    ) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            widths: Of the input and of each layer's output.
            layers: Numbers of the layers in the keys, in their order.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: The tensors do not fit the widths.
        """
        self.module: Any = filled(self.empty(widths, layers), WEIGHTS, state=state)

    @staticmethod
    def empty(widths: Sequence[int] = WIDTHS, layers: Sequence[int] = LAYERS) -> "torch.nn.Module":
        """Return the module without numbers; its keys are those of the published file.

        Raises:
            ConfigError: There is not one layer between each two widths.
        """
        import torch

        if len(widths) != len(layers) + 1:
            raise ConfigError(
                f"`widths` got {len(widths)} numbers; expected {len(layers) + 1} for {len(layers)} layers."
            )
        with without_numbers():
            stages = {
                str(number): torch.nn.Linear(width, widths[place + 1])
                for place, (number, width) in enumerate(zip(layers, widths[:-1], strict=True))
            }
            return torch.nn.ModuleDict({"layers": torch.nn.ModuleDict(stages)})

    def __call__(self, embeddings: "torch.Tensor") -> "torch.Tensor":
        """Return the scores of pictures.

        Args:
            embeddings: (N, 768) float32 as the image tower gives them; a vector of zeros is taken as it is.

        Returns:
            (N,) float32 on the CPU.
        """
        import torch

        vectors = embeddings.detach().cpu().numpy()
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        lengths[lengths == 0] = 1
        device = next(self.module.parameters()).device
        with inference():
            # One by one as in the reference, so that a picture's bits do not depend on its neighbours.
            rows = [self._score(torch.from_numpy(row[None]).to(device)) for row in vectors / lengths]
        return torch.cat(rows).cpu() if rows else torch.empty(0)

    def _score(self, direction: "torch.Tensor") -> "torch.Tensor":
        for layer in self.module["layers"].values():
            direction = layer(direction)
        return direction[:, 0]


def rounded_scores(scores: Iterable[float]) -> list[float]:
    """Return the scores with five decimals, as the reference keeps those of frames."""
    return [round(float(score), _DECIMALS) for score in scores]


def clip_score(scores: Iterable[float]) -> float:
    """Return a clip's score: the mean of its frames' scores, each rounded to five decimals first.

    Args:
        scores: Of one frame or more.
    """
    rounded = rounded_scores(scores)
    return sum(rounded) / len(rounded)
