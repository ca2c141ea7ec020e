"""Prompts to embeddings, with the text encoders of diffusers' folders.

Reference: Wan 2.1, wan/modules/tokenizers.py and t5.py (cleaned text, a mask, zeros behind the text); SAT's CogVideoX,
sgm/modules/encoders/modules.py (FrozenT5Embedder: padded to the full length, no mask).
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anisora.models.placement import Placement

if TYPE_CHECKING:
    import torch

__all__ = ["TextEncoder", "clean_prompt"]

_SPACES = re.compile(r"\s+")


def clean_prompt(text: str) -> str:
    """Return a prompt as Wan's tokenizer cleans it: mended encodings, no HTML entities, single spaces.

    Example:
        >>> clean_prompt("  A girl &amp;amp; a  cat ")
        'A girl & a cat'
    """
    import ftfy

    unescaped = html.unescape(html.unescape(ftfy.fix_text(text)))
    return _SPACES.sub(" ", unescaped).strip()


@dataclass(slots=True, kw_only=True)
class TextEncoder:
    """A tokenizer and the network behind it."""

    tokenizer: Any
    """Of transformers."""
    module: Any
    """T5EncoderModel or UMT5EncoderModel."""
    length: int
    """Tokens that a network is given; longer prompts are cut, shorter ones padded."""
    masked: bool
    """Whether the encoder is told what is padding, and its embeddings there become 0; and prompts are cleaned."""

    def encode(self, texts: Sequence[str], placement: Placement) -> "torch.Tensor":
        """Return the embeddings of some prompts.

        Args:
            texts: One or more.
            placement: Where the network computes.

        Returns:
            (B, length, dim) on that device, in the network's number format.
        """
        import torch

        cleaned = [clean_prompt(text) for text in texts] if self.masked else list(texts)
        tokens = self.tokenizer(
            cleaned,
            padding="max_length",
            max_length=self.length,
            truncation=True,
            add_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        module = placement.ready(self.module)
        ids, mask = (tokens[name].to(placement.torch_device) for name in ("input_ids", "attention_mask"))
        with torch.inference_mode():
            states: torch.Tensor = module(ids, **({"attention_mask": mask} if self.masked else {})).last_hidden_state
        return states * mask[..., None].to(states) if self.masked else states
