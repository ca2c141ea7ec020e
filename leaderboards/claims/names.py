"""Names of systems and columns, made alike whatever their dashes, bold, brackets and spaces."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

__all__ = ["name_key"]

_OWN: Final = re.compile(
    r"[(\[]\s*(?:ours|our model|本文|我们的?|untrained|subset [^)\]]*)\s*[)\]]|\[\s*\d+(?:\s*[,-]\s*\d+)*\s*\]"
)
"""What is said of a system and does not belong to its name: whose it is, how it was run, a citation."""


@lru_cache(maxsize=4096)
def name_key(text: str) -> str:
    """Return what two spellings of a name have in common.

    Case, spaces, dashes of any kind, brackets, marks and arrows do not count, nor does ``(Ours)``. Letters, digits,
    points between digits, plus signs and the text in other brackets do.

    Example:
        >>> name_key("**Opensora‑Plan(V1.3)**") == name_key("opensora-plan-v1.3")
        True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _OWN.sub("", folded)
    kept = []
    for at, char in enumerate(folded):
        is_point = char == "." and folded[at - 1 : at].isdigit() and folded[at + 1 : at + 2].isdigit()
        if char.isalnum() or char == "+" or is_point:
            kept.append(char)
    return "".join(kept)
