"""Numbers as they are printed in cells: the value, its last place, and an interval beside it."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

__all__ = ["PrintedNumber", "is_missing", "is_spread", "read_number"]

_NUMBER: Final = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:e[+-]?\d{1,2})?"
_CELL: Final = re.compile(
    rf"(?P<before>[^\w+.-]*)(?P<value>{_NUMBER})\s*%?(?P<after>(?![\w.]|[,-]\d).*)", re.IGNORECASE | re.DOTALL
)
_INTERVAL: Final = re.compile(rf"\[\s*({_NUMBER})\s*%?\s*[,;]\s*({_NUMBER})\s*%?\s*\]", re.IGNORECASE)
_SPREAD: Final = re.compile(
    rf"(?:(?:±|\\pm)\s*{_NUMBER}|\[\s*{_NUMBER}\s*%?\s*[,;]\s*{_NUMBER}\s*%?\s*\]|-{_NUMBER}\s*\+{_NUMBER})\s*%?",
    re.IGNORECASE,
)
_BESIDE: Final = re.compile(rf"[\s*†‡§¶‖≈★☆?^~()\[\],;/%±↑↓→]|in|±|\\pm|{_NUMBER}", re.IGNORECASE)
"""What may stand behind a value: marks, an interval, a spread, a coverage; anything else is a text with a number."""
_MISSING: Final = frozenset({"", "-", "--", "---", "/", "n/a", "na", "n.a.", "none", "nan", "无", "x", "✗", "×", "tbd"})
_LONGEST: Final = 200
"""Characters of a cell; what is longer is a text."""
_MINUS: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"))


@dataclass(frozen=True, slots=True)
class PrintedNumber:
    """A number with the places it is printed with."""

    value: Decimal
    unit: Decimal
    """One unit of the last printed place, such as 0.01."""
    low: Decimal | None = None
    high: Decimal | None = None
    """The ends of an interval in square brackets, where one is printed."""


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_MINUS).strip()


def is_missing(text: str) -> bool:
    """Return whether a cell says that there is no number."""
    return _plain(text).lower().strip("()* ") in _MISSING


def is_spread(text: str) -> bool:
    """Return whether a text is an interval or a spread without the number that it belongs to.

    Example:
        >>> is_spread("±0.3"), is_spread("[1.2, 1.4]"), is_spread("-0.1 +0.3"), is_spread("1.3 ±0.3")
        (True, True, True, False)
    """
    return len(text) <= _LONGEST and _SPREAD.fullmatch(_plain(text).strip("() ")) is not None


def read_number(text: str) -> PrintedNumber | None:
    """Return the number that a cell holds; None where it holds text, or nothing.

    Example:
        >>> read_number("99.34 [98.9, 99.7]").unit
        Decimal('0.01')
    """
    found = _CELL.fullmatch(_plain(text)) if len(text) <= _LONGEST else None
    if found is None or _BESIDE.sub("", found["after"]):
        return None
    value = _decimal(found["value"])
    beside = _INTERVAL.search(found["after"])
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # the pattern lets no infinity pass
    low, high = (None, None) if beside is None else (_decimal(beside[1]), _decimal(beside[2]))
    return PrintedNumber(value, Decimal(1).scaleb(exponent), low, high)


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))
