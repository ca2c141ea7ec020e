"""From captions to BERT's word-pieces, as the text-video regressor reads them."""

import string
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError
from anisora.harness.weights import untrained_seed, weight_file

if TYPE_CHECKING:
    import torch

__all__ = ["ADDED_WORDS", "REFERENCE_TOKENS", "VOCABULARY", "CaptionTokenizer"]

VOCABULARY: Final = "bert-base-uncased-vocabulary"
"""Entry of the ledger."""
_FILE: Final = "vocab.txt"
ADDED_WORDS: Final = ("[DEC]", "[ENC]")
"""The reference adds them behind the vocabulary, for other tasks than this one; a caption that spells one gets it."""
REFERENCE_TOKENS: Final = 30
"""What the reference cuts and fills captions to: 28 word-pieces between a start and an end."""
_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class CaptionTokenizer:
    """BERT's tokenizer without case and accents; safe to use from several threads."""

    def __init__(self, vocabulary: Path | Mapping[str, int] | None = None) -> None:
        """Read the vocabulary; nothing is asked of a hub.

        Args:
            vocabulary: A file of one word-piece a line, or {word-piece: id}; None: the ledger's file, or characters
                alone where weights are untrained.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: The vocabulary lacks a token that every text has.
        """
        from transformers import BertTokenizer

        if vocabulary is None:
            vocabulary = weight_file(VOCABULARY, _FILE) if untrained_seed() is None else _characters()
        words = dict(vocabulary) if isinstance(vocabulary, Mapping) else _read(vocabulary)
        lacking = [token for token in _SPECIAL if token not in words]
        if lacking:
            raise ConfigError(
                f"The vocabulary of {len(words)} word-pieces lacks {', '.join(lacking)}; expected BERT's. Fetch "
                f"`{VOCABULARY}` again."
            )
        # As an argument named ``vocab_file`` it would be passed over without a word.
        self._tokenizer = BertTokenizer(vocab=words, do_lower_case=True)
        self._tokenizer.add_tokens(list(ADDED_WORDS), special_tokens=True)
        self._lock = threading.Lock()  # cutting and filling are states of the tokenizer

    def __len__(self) -> int:
        """Return the number of word-pieces, the added ones included."""
        return len(self._tokenizer)

    def __call__(self, caption: str, *, length: int, fill: bool) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return the ids of a caption and its attention mask.

        Args:
            caption: Any text; the end of one that is too long is cut.
            length: Tokens at most, start and end included.
            fill: Whether shorter captions are filled up to ``length``.

        Returns:
            Two of (1, tokens) int64; the mask is 0 where the text is filled up.
        """
        import torch

        with self._lock:
            found = self._tokenizer(
                caption, padding="max_length" if fill else False, truncation=True, max_length=length
            )
        return torch.tensor([found["input_ids"]]), torch.tensor([found["attention_mask"]])

    def count(self, caption: str) -> int:
        """Return how many word-pieces a caption has, start and end not included."""
        with self._lock:
            return len(self._tokenizer(caption, add_special_tokens=False, truncation=False)["input_ids"])


def _read(path: Path) -> dict[str, int]:
    return {word: number for number, word in enumerate(path.read_text(encoding="utf-8").splitlines())}


def _characters() -> dict[str, int]:
    """Return a vocabulary of the printable characters, each at the start of a word and within it."""
    visible = [character for character in string.printable if not character.isspace() and not character.isupper()]
    words = [*_SPECIAL, *visible, *(f"##{character}" for character in visible)]
    return {word: number for number, word in enumerate(words)}
