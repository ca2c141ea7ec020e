"""A judge: the question, the tokenizer and the network of one of the two regressors."""

from typing import TYPE_CHECKING

from anisora.harness.weights import weight_file
from anisora.reward.judge.prompt import WEIGHTS, judge_prompt, read_template
from anisora.reward.judge.tokens import TOKENIZER_FILE, read_tokenizer, token_ids
from anisora.reward.mode import Mode
from anisora.reward.networks.idefics2_regressor import Idefics2Regressor

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

__all__ = ["Judge"]


class Judge:
    """Answers the question about a clip with a number."""

    def __init__(self, *, template: str, tokenizer: "Tokenizer", network: Idefics2Regressor) -> None:
        """Put the parts together.

        Args:
            template: The question, with ``{text_prompt}`` where the caption goes.
            tokenizer: Of the network's checkpoint.
            network: Looks and answers.
        """
        self._template = template
        self._tokenizer = tokenizer
        self._network = network

    @classmethod
    def published(cls, weights: str) -> "Judge":
        """Make the judge of an entry of the ledger.

        Raises:
            WeightsMissing: A file is absent or not the ledger's.
            ConfigError: A file holds something else, or untrained weights are asked for: question and tokenizer are
                texts and have no untrained form.
        """
        # The small files first: the network takes minutes to read.
        template = read_template(weight_file(WEIGHTS))
        tokenizer = read_tokenizer(weight_file(weights, TOKENIZER_FILE))
        return cls(template=template, tokenizer=tokenizer, network=Idefics2Regressor(weights))

    def logit(self, caption: str, pixels: "torch.Tensor", mask: "torch.Tensor", *, mode: Mode) -> float:
        """Return the answer for a clip, on the scale of the training labels: 0..100, without a bound.

        Args:
            caption: The clip's prompt.
            pixels: (T, 3, H, W) float32 of its frames, normalised.
            mask: (T, H, W), 1 on real pixels.
            mode: Number format of the network's head.

        Raises:
            MetricError: The caption holds more markers of pictures than there are frames.
            ConfigError: The tokenizer is not the network's.
        """
        import torch

        text = judge_prompt(self._template, caption, len(pixels))
        ids = torch.tensor(token_ids(self._tokenizer, text, self._network.sizes.latents))
        return float(self._network(ids, pixels, mask, mode=mode)[0])
