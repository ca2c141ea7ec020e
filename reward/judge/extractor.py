"""What a judge says of a clip, as a feature."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import parameters_of, shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.reward.judge.judge import Judge
from anisora.reward.judge.pictures import PictureRecipe
from anisora.reward.judge.prompt import WEIGHTS as PROMPT
from anisora.reward.judge.remembered_pictures import RememberedPictures
from anisora.reward.mode import read_mode
from anisora.reward.networks.idefics2_regressor import BODY, Idefics2Regressor

__all__ = ["DISTRIBUTIONS", "PICTURES", "JudgeExtractor"]

DISTRIBUTIONS: Final = ("torch", "transformers")
PICTURES: Final = RememberedPictures(PictureRecipe())
"""Of this process: smoothness and appeal see the same pictures, one after the other."""


class JudgeExtractor:
    """Of the whole clip and its prompt: ``logit``."""

    def __init__(
        self, name: str, weights: str, summary: str, *, mode: str, judge: Judge | None, pictures: RememberedPictures
    ) -> None:
        """Choose the judge.

        Args:
            name: Of the extractor.
            weights: Entry of the ledger.
            summary: What it gives, for people.
            mode: ``reference``: the head computes in bfloat16, as released, so that logits from 64 to 128 have steps
                of 0.5; ``corrected``: in float32.
            judge: In place of the ledger's.
            pictures: What makes pictures of frames.

        Raises:
            ConfigError: There is no such mode.
        """
        self._mode = read_mode(mode)
        self._judge = judge
        self._weights = weights
        self._pictures = pictures
        self.info = ExtractorInfo(
            name=name,
            version=1,
            window=0,
            preprocess=f"{pictures.recipe.id}-body-bfloat16-head-{self._mode}",
            needs=frozenset({"prompt"}),
            weights=(weights, PROMPT),
            extra="models",
            distributions=DISTRIBUTIONS,
            dtype=BODY,
            summary=summary,
        )

    def parameters(self) -> dict[str, int]:
        """Return {entry of the ledger: numbers in the network's tensors}."""
        require_extra(self.info)
        return {self._weights: parameters_of(Idefics2Regressor.empty())}

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``logit`` (B,) float32, about 0..100.

        Raises:
            MetricError: There is no prompt, or it holds more markers of pictures than the clip has frames.
        """
        require_extra(self.info)
        if batch.prompt is None:
            raise MetricError(f"Extractor `{self.info.name}` got no prompt; give the item one in the manifest.")
        judge = self._judge or shared_network(self.info.name, lambda: Judge.published(self._weights), self.info.weights)
        logits = [judge.logit(batch.prompt, *self._pictures(frames), mode=self._mode) for frames in batch.frames]
        return {"logit": np.array(logits, np.float32)}
