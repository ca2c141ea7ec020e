"""What the frames of a clip add to the score of a consistency regressor, whatever its key."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.extras import require_extra
from anisora.harness.networks import parameters_of, shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.extractors.actionclip import RECIPE
from anisora.reward.networks.consistency_regressor import WEIGHTS, ConsistencyRegressor, Key

if TYPE_CHECKING:
    import torch

__all__ = ["DISTRIBUTIONS", "RECIPE", "RegressorFrames", "pictures", "regressor"]

DISTRIBUTIONS: Final = ("torch", "transformers")
_BATCH: Final = 8


def regressor(key: Key) -> ConsistencyRegressor:
    """Return the network of a key, made once in a process."""
    found: ConsistencyRegressor = shared_network(WEIGHTS[key], lambda: ConsistencyRegressor(key), (WEIGHTS[key],))
    return found


def pictures(images: Frames | list[Frames], network: ConsistencyRegressor) -> "torch.Tensor":
    """Return pictures as a network takes them: squashed by Pillow to its square and normalised, (N, 3, side, side)."""
    import torch

    recipe = replace(RECIPE, side=network.sizes.vision.image_size)
    return torch.cat([recipe.picture(image) for image in images])


class RegressorFrames:
    """Per frame: ``logit``, what it would add were it the only one."""

    def __init__(self, name: str, key: Key, network: ConsistencyRegressor | None = None) -> None:
        """Name the extractor and its network.

        Args:
            name: Of the extractor.
            key: What the network compares frames with.
            network: A network in place of the ledger's.
        """
        self._key, self._network = key, network
        self.info = ExtractorInfo(
            name=name,
            version=1,
            window=1,
            batch_size=_BATCH,
            preprocess=f"pillow-{RECIPE.id}",
            weights=(WEIGHTS[key],),
            extra="models",
            distributions=DISTRIBUTIONS,
            summary=f"what each frame adds to the score of the {key}-video regressor of the anime reward",
        )

    def parameters(self) -> dict[str, int]:
        """Return {entry of the ledger: numbers in the network's tensors}."""
        require_extra(self.info)
        return {WEIGHTS[self._key]: parameters_of(ConsistencyRegressor.empty(self._key))}

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``logit`` (B,) float64."""
        require_extra(self.info)
        network = self._network or regressor(self._key)
        features = network.picture_features(pictures(batch.frames[:, 0], network))
        return {"logit": np.asarray(network.frame_logits(features))}
