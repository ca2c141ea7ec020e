"""Tells characters apart: BLIP's vision transformer and a projection, trained on crops of known characters.

The embeddings are not normalised: scores compare them by plain dot products.

Reference: reward/character/BLIP/infer_retrieval_pretrain_v2.py and blip_models/blip_pretrain.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors
from anisora.reward.networks.blip_vision import LARGE, VisionSizes, class_tokens, empty_vision, host_key

if TYPE_CHECKING:
    import torch

__all__ = ["RELEASED", "UNUSED_KEYS", "WEIGHTS", "EmbedderSizes", "IdentityEmbedder"]

WEIGHTS: Final = "identity-embedder"
UNUSED_KEYS: Final = (
    "text_encoder.*",
    "text_encoder_m.*",
    "text_proj.*",
    "text_proj_m.*",
    "visual_encoder_m.*",
    "vision_proj_m.*",
    "itm_head.*",
    "text_decoder.*",
    "image_queue",
    "text_queue",
    "queue_ptr",
    "temp",
)
"""What a checkpoint of BLIP's pre-training holds beside the network, as that training names it."""
_INSIDE: Final = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderSizes:
    """The sizes of a network; the defaults are the released one's."""

    vision: VisionSizes = LARGE
    embedding: int = 256

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the sizes from a mapping with ``vision`` and ``vision_proj``, the projection's inputs and outputs.

        Raises:
            ConfigError: A size is missing, or the configuration asks for something else than this network.
        """
        if "vision" not in config or "vision_proj" not in config:
            raise ConfigError(f"The configuration has {', '.join(config)}; expected `vision` and `vision_proj`.")
        return cls(vision=VisionSizes.from_config(config["vision"]), embedding=int(config["vision_proj"][1]))


RELEASED: Final = EmbedderSizes()


class IdentityEmbedder:
    """From crops of characters to embeddings."""

    def __init__(self, state: Tensors | None = None, sizes: EmbedderSizes = RELEASED) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            sizes: Of the network.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: The tensors do not fit the sizes.
        """
        self.sizes = sizes
        self.module: Any = filled(
            self.empty(sizes), WEIGHTS, state=state, inside=_INSIDE, rename=host_key, superfluous=UNUSED_KEYS
        )

    @staticmethod
    def empty(sizes: EmbedderSizes = RELEASED) -> "torch.nn.Module":
        """Return the module without numbers; ``blip_vision.reference_key`` gives the published file's keys for its own.

        Raises:
            ConfigError: The sizes do not fit together.
        """
        from torch import nn

        vision = empty_vision(sizes.vision)
        with without_numbers():
            return nn.ModuleDict(
                {"visual_encoder": vision, "vision_proj": nn.Linear(sizes.vision.width, sizes.embedding)}
            )

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the embeddings of pictures.

        Args:
            pixels: (N, 3, side, side) float32, normalised by CLIP's mean and deviation.

        Returns:
            (N, embedding) float32 on the CPU, not normalised.
        """
        with inference():
            tokens = class_tokens(self.module["visual_encoder"], pixels)
            embeddings: torch.Tensor = self.module["vision_proj"](tokens)
        return embeddings.cpu()
