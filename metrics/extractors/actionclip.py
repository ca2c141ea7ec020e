"""How much a clip looks like either of two sentences on movement, by ActionCLIP."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.media.reference_sampling import clip_24_of_144, linspace_8
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, Recipe
from anisora.harness.types import Frames
from anisora.metrics.networks.actionclip import WEIGHTS, ActionClip

if TYPE_CHECKING:
    import torch

__all__ = ["RECIPE", "TEXTS", "Actionclip", "frames_seen"]

RECIPE: Final = Recipe(resize="exact", side=224, mean=CLIP_MEAN, std=CLIP_STD)
"""Bicubic as Pillow does it, squashed to a square. ActionCLIP's own crop is built by the reference and never used."""
TEXTS: Final = (
    "The protagonist has a large range of movement, such as running, jumping, dancing, or waving arms.",
    "The protagonist remain stationary in the video with no apparent movement.",
)
"""Word for word those of the reference (reward/reward_infer.py), with its slip of grammar."""
_DISTRIBUTIONS: Final = ("torch", "open_clip_torch")


def frames_seen(total: int) -> list[int]:
    """Return the 8 frames of a clip that the scorer sees: 8 of at most 24, these of the first 144.

    Frames of clips shorter than 8 are repeated (reward/reward_infer.py).

    Args:
        total: Frames in the clip, 1 or more.
    """
    shared = clip_24_of_144(total)
    return [shared[place] for place in linspace_8(len(shared))]


class Actionclip:
    """Per clip: ``cosine`` of its features to those of the two texts."""

    info = ExtractorInfo(
        name="actionclip",
        version=1,
        window=0,
        preprocess=f"linspace8-of-24-of-144-pillow-{RECIPE.id}",
        weights=(WEIGHTS,),
        extra="models",
        distributions=_DISTRIBUTIONS,
        summary="ActionCLIP similarity of the clip to a sentence on large movement and to one on none",
    )

    def __init__(self, *, whole: bool = False, network: ActionClip | None = None) -> None:
        """Choose what is seen of long clips.

        Args:
            whole: The 8 frames are those of the sampling, from all over the clip, instead of the reference's, which
                looks at no frame after the 144th.
            network: In place of the ledger's.
        """
        self._network = network
        if whole:
            self.info = replace(self.info, name="actionclip:whole=true", preprocess=f"linspace8-pillow-{RECIPE.id}")
        self._whole = whole

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``cosine`` (B, 2) float32: to the first and to the second text."""
        import torch

        require_extra(self.info)
        network = self._network or shared_network("actionclip", ActionClip, self.info.weights)
        recipe = replace(RECIPE, side=network.sizes.image_size)
        reference = frames_seen(batch.stream.num_frames)
        clips = [
            _pixels(
                frames,
                indices,
                [int(indices[place]) for place in linspace_8(len(indices))] if self._whole else reference,
                recipe,
            )
            for frames, indices in zip(batch.frames, batch.indices, strict=True)
        ]
        features = network.encode_clips(torch.stack(clips))
        texts = network.encode_texts(TEXTS)
        cosine = torch.nn.functional.normalize(features, dim=-1) @ torch.nn.functional.normalize(texts, dim=-1).T
        return {"cosine": np.asarray(cosine.numpy())}


def _pixels(frames: Frames, indices: NDArray[np.int64], seen: list[int], recipe: Recipe) -> "torch.Tensor":
    """Return (8, 3, side, side) of the frames seen; one that is seen twice is resized once."""
    import torch

    rows = {int(index): row for row, index in enumerate(indices)}
    pictures = {index: recipe.picture(frames[rows[index]])[0] for index in dict.fromkeys(seen)}
    return torch.stack([pictures[index] for index in seen])
