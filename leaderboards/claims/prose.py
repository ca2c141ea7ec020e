"""Sentences that claim what no table of ours can show: percentages, superlatives, being better than others.

A small heuristic: it reads words, not meaning. It lists, and never flags.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from anisora.leaderboards.claims.document import Sentence
from anisora.leaderboards.claims.findings import Finding

__all__ = ["claims_in"]

_SIGNS: Final = {
    "a percentage": re.compile(r"\d\s*(?:[%％]|per ?cent\b)|百分之"),
    "a factor": re.compile(
        r"\b\d+(?:\.\d+)?\s*[x×]\s+(?:fast|small|cheap|better|more|less|speed)|\d\s*倍", re.IGNORECASE
    ),
    "a superlative": re.compile(
        r"\b(?:best(?!-of)|strongest|fastest|highest|lowest|largest|leading|unmatched|unrivall?ed|ultimate|first ever|"
        r"state[- ]of[- ]the[- ]art|sota|most (?:powerful|advanced|accurate|capable|efficient))\b|"
        r"最(?!后|近|终|新|初|低|少|小|多|大化)|SOTA|终极|首个|首创|领先|无损",
        re.IGNORECASE,
    ),
    "a comparison": re.compile(
        r"\b(?:outperform\w*|surpass\w*|superior to|beats?|better than|exceeds?)\b|优于|超越|超过|胜过", re.IGNORECASE
    ),
}


def claims_in(sentences: Iterable[Sentence]) -> Iterator[Finding]:
    """Yield the sentences that say such things, each once."""
    for sentence in sentences:
        signs = [sign for sign, pattern in _SIGNS.items() if pattern.search(sentence.text)]
        if signs:
            yield Finding(
                kind="claim",
                printed=sentence.text,
                message=f"{' and '.join(signs)} outside tables, not checked: {_shortened(sentence.text)}",
                line=sentence.line,
            )


def _shortened(text: str, length: int = 160) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
