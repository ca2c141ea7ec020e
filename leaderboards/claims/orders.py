"""Claims of order: rows said to be sorted by a column, and columns of ranks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal

from anisora.leaderboards.claims.checks import cell_finding
from anisora.leaderboards.claims.expected import rounded
from anisora.leaderboards.claims.findings import Finding
from anisora.leaderboards.claims.matching import MatchedTable
from anisora.leaderboards.claims.names import name_key

__all__ = ["order_findings"]

_Way = Literal["best", "up", "down"]

_ENGLISH: Final = re.compile(
    r"\b(?:sort(?:ed)?|order(?:ed)?|rank(?:ed|ing|s)?)\s+(?:in\s+\w+\s+order\s+)?(?:by|of|on|according to)\s+"
    r"(?:the\s+)?([^.;\n]{1,120})",
    re.IGNORECASE,
)
_CHINESE: Final = re.compile(
    r"(?:按照?|依照?|根据)\s*([^。；\n]{1,60}?)\s*(?:从高到低|从低到高|升序|降序|排序|排列|排名)"
)
_UP: Final = re.compile(r"\bascending|\bincreasing|\blowest first|升序|从低到高", re.IGNORECASE)
_DOWN: Final = re.compile(r"\bdescending|\bdecreasing|\bhighest first|降序|从高到低", re.IGNORECASE)
_RANK: Final = re.compile(
    r"(?:rank(?:ing)?|place|排名|名次|位次|#|no\.?)(?:\s*(?:by|in|on|of|[(:]))?\s*(.*?)\)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Rows are said to be in the order of a column."""

    at: int
    way: _Way


def order_findings(match: MatchedTable) -> Iterator[tuple[bool, Finding]]:
    """Yield (whether it is flagged, finding) of what a table, or the text beside it, says of order."""
    claims = []
    for said, around in _said(match.table.caption):
        at = _column_named(match, said)
        if at is not None:
            way: _Way = "up" if _UP.search(around) else "down" if _DOWN.search(around) else "best"
            claims.append(_Claim(at, way))
        else:
            message = f"The order by {said!r} is not checked: no known column of the table is called so."
            yield False, Finding(kind="order", table=match.table.label, message=message, line=match.table.line)
    for claim in dict.fromkeys(claims):
        yield from ((True, finding) for finding in _inversions(match, claim))
    yield from _ranks(match, claims)


def _said(caption: str) -> Iterator[tuple[str, str]]:
    """Yield (what rows are said to be ordered by, the sentence) of the text beside a table."""
    for sentence in re.split(r"(?<=[.;])\s|[。；\n]", caption):
        for pattern in (_ENGLISH, _CHINESE):
            for found in pattern.finditer(sentence):
                yield found[1].strip(), sentence


def _column_named(match: MatchedTable, said: str) -> int | None:
    """Return the known column whose name stands first in a text, of two at one place the longer."""
    text, found = name_key(said), []
    for at, column in match.columns.items():
        names = {name_key(name) for name in (*match.table.header[at], *column.names, *column.other_names)}
        places = [(place, -len(name), at) for name in names if name and (place := text.find(name)) >= 0]
        found += places
    return min(found)[2] if found else None


def _merit(match: MatchedTable, row: int, claim: _Claim) -> Decimal | None:
    """Return a number that may not grow from row to row."""
    column, value, unit = match.columns[claim.at], match.value(row, claim.at), match.units(claim.at)[1]
    if claim.way == "best" or value is None:
        return match.expected.merit(column, value, unit)
    return rounded(value, unit) * (-1 if claim.way == "up" else 1)


def _inversions(match: MatchedTable, claim: _Claim) -> Iterator[Finding]:
    merits = []
    seen: set[str] = set()
    for row, known in enumerate(match.rows):
        merit = _merit(match, row, claim)
        # A row that is printed again is told of as such.
        if merit is not None and match.is_rival(row) and match.numbers[row][claim.at]:
            if known is None or known.model not in seen:
                merits.append((row, merit))
            seen |= set() if known is None else {known.model}
    order = {"best": "best first", "up": "ascending", "down": "descending"}[claim.way]
    for (above, higher), (row, merit) in pairwise(merits):
        if merit > higher:
            message = (
                f"The rows are said to be in the order of {match.columns[claim.at].header}, {order}; "
                f"{match.name(row)} belongs above {match.name(above)}."
            )
            yield cell_finding(match, "order", row, claim.at, message, expected=f"above {match.name(above)}")


def _ranks(match: MatchedTable, claims: list[_Claim]) -> Iterator[tuple[bool, Finding]]:
    for at, names in enumerate(match.table.header):
        found = _RANK.fullmatch(names[0].strip())
        if found is None or at in match.columns or not any(numbers[at] for numbers in match.numbers):
            continue
        named = _column_named(match, found[1]) if found[1] else None
        claim = _Claim(named, "best") if named is not None else claims[0] if claims else None
        if claim is None:
            message = f"The ranks in {names[0]!r} are not checked: the column that they rank is not named."
            yield (
                False,
                Finding(kind="order", table=match.table.label, column=names[0], message=message, line=match.table.line),
            )
        else:
            yield from ((True, finding) for finding in _wrong_ranks(match, at, claim))


def _wrong_ranks(match: MatchedTable, at: int, claim: _Claim) -> Iterator[Finding]:
    merits = {
        row: merit
        for row in range(len(match.rows))
        if match.is_rival(row) and (merit := _merit(match, row, claim)) is not None
    }
    for row, merit in merits.items():
        number = match.numbers[row][at]
        if number is None:
            continue
        better = sum(other > merit for other in merits.values())
        last = better + sum(other == merit for other in merits.values())
        if not better + 1 <= number.value <= last:
            rank = f"{better + 1}" if last == better + 1 else f"{better + 1} to {last}"
            message = f"{match.name(row)} has rank {number.value} by {match.columns[claim.at].header}; it is {rank}."
            yield cell_finding(match, "order", row, at, message, expected=rank)
