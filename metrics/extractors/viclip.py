"""ViCLIP's features of a clip and of its prompt."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, Recipe
from anisora.harness.types import Frames
from anisora.metrics.networks.viclip import PUBLISHED, WEIGHTS, ViClip

__all__ = ["DISTRIBUTIONS", "RECIPE", "Viclip", "padded"]

DISTRIBUTIONS: Final = ("torch", "open_clip_torch")
RECIPE: Final = Recipe(resize="short", side=224, rounded=True, crop=224, mean=CLIP_MEAN, std=CLIP_STD)
"""VBench's ``clip_transform(224)`` of uint8 tensors: bicubic without antialiasing, whole levels, the middle 224."""


def padded(frames: Frames, count: int) -> list[Frames]:
    """Return ``count`` frames, the last one again and again where there are fewer.

    Args:
        frames: (n, H, W, 3), 1 <= n <= count.
        count: How many are wanted.

    Returns:
        Views of the frames, (H, W, 3) each (VBench, vbench/utils.py, read_frames_decord_by_fps).
    """
    return [frames[min(place, len(frames) - 1)] for place in range(count)]


class Viclip:
    """Of the whole clip: ``video`` and ``text``, as they leave the towers."""

    info = ExtractorInfo(
        name="viclip",
        version=1,
        window=0,
        preprocess=RECIPE.id,
        needs=frozenset({"prompt"}),
        weights=(WEIGHTS,),
        extra="models",
        distributions=DISTRIBUTIONS,
        summary="ViCLIP-L/14 features of eight frames together, and of the prompt",
    )

    def __init__(self, *, network: ViClip | None = None) -> None:
        """Take a network in place of the ledger's."""
        self._network = network

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``video`` (B, 768) and ``text`` (B, 768), float32.

        Raises:
            MetricError: There is no prompt, or more frames than the network sees.
        """
        import torch

        require_extra(self.info)
        if batch.prompt is None:
            raise MetricError("Extractor `viclip` got no prompt; give the item one in the manifest.")
        count = PUBLISHED.frames
        if batch.frames.shape[1] > count:
            raise MetricError(
                f"Extractor `viclip` got {batch.frames.shape[1]} frames; expected at most {count}, "
                f'such as FrameSampling(mode="middle", count={count}) gives.'
            )
        network = self._network or shared_network("viclip", ViClip, self.info.weights)
        clips = [RECIPE(padded(frames, count)) for frames in batch.frames]
        text = network.encode_text(batch.prompt).expand(len(clips), -1)
        return {"video": np.asarray(network(torch.stack(clips)).numpy()), "text": np.asarray(text.numpy())}
