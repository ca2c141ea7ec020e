"""What the prompt adds to the score of the text-video regressor."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.reward.extractors.regressor_frames import DISTRIBUTIONS, regressor
from anisora.reward.mode import Mode, read_mode
from anisora.reward.networks.caption_tokenizer import REFERENCE_TOKENS, VOCABULARY, CaptionTokenizer
from anisora.reward.networks.consistency_regressor import WEIGHTS, ConsistencyRegressor

__all__ = ["TextVideoRegressorText"]

_PREPROCESS: Final[dict[Mode, str]] = {
    "reference": f"bert-uncased-{REFERENCE_TOKENS}-filled",
    "corrected": "bert-uncased-whole",
}


class TextVideoRegressorText:
    """Per clip: ``logit`` of the prompt, and ``word_pieces``: how many of the prompt's were read, and how many it has.

    ``reference`` reads the first 28. ``corrected`` reads all, as far as BERT has positions.
    """

    def __init__(
        self,
        mode: str = "reference",
        *,
        network: ConsistencyRegressor | None = None,
        tokenizer: CaptionTokenizer | None = None,
    ) -> None:
        """Choose how much of the prompt is read.

        Args:
            mode: ``reference`` or ``corrected``.
            network: A network in place of the ledger's.
            tokenizer: A tokenizer in place of the ledger's.

        Raises:
            ConfigError: There is no such mode.
        """
        self._mode: Mode = read_mode(mode)
        self._network, self._tokenizer = network, tokenizer
        self.info = ExtractorInfo(
            name="text_video_regressor_text",
            version=1,
            window=1,
            preprocess=_PREPROCESS[self._mode],
            needs=frozenset({"prompt"}),
            reads="inputs",
            weights=(WEIGHTS["text"], VOCABULARY),
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="what the prompt adds to the score of the text-video regressor of the anime reward",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``logit`` (B,) float64 and ``word_pieces`` (B, 2) int64, the same in each row.

        Raises:
            MetricError: There is no prompt.
        """
        require_extra(self.info)
        if batch.prompt is None:
            raise MetricError(f"Extractor `{self.info.name}` got no prompt; give the item one in the manifest.")
        network = self._network or regressor("text")
        tokenizer = self._tokenizer or shared_network(VOCABULARY, CaptionTokenizer, (VOCABULARY,))
        is_reference = self._mode == "reference"
        longest = network.sizes.text.positions
        length = min(REFERENCE_TOKENS, longest) if is_reference else longest
        ids, mask = tokenizer(batch.prompt, length=length, fill=is_reference)
        logit = network.key_logits(network.text_features(ids, mask))
        read = [int(mask.sum()) - 2, tokenizer.count(batch.prompt)]
        rows = len(batch.frames)
        return {"logit": np.repeat(logit, rows), "word_pieces": np.array([read] * rows, np.int64)}
