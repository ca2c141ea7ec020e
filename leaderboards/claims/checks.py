"""What a printed table says that does not follow: numbers, missing cells, bold, rows printed twice.

Pure functions from a matched table to findings.
"""

from collections.abc import Iterator
from decimal import Decimal

from anisora.leaderboards.claims.expected import ExpectedCell, ExpectedColumn, ExpectedRow, rounded
from anisora.leaderboards.claims.findings import Finding, Kind
from anisora.leaderboards.claims.matching import MatchedTable, agrees
from anisora.leaderboards.claims.names import name_key
from anisora.leaderboards.claims.printed import PrintedNumber, is_missing
from anisora.leaderboards.footnotes import TIED
from anisora.leaderboards.words import texts

__all__ = ["bold_findings", "cell_finding", "doubled_rows", "number_findings", "strangers"]

_COVERAGE = frozenset(name_key(text) for key in ("items", "clusters") for text in texts()[key].values())
"""Columns that ``anisora leaderboard`` adds; what they say is no claim about a system."""


def cell_finding(
    match: MatchedTable, kind: Kind, row: int, at: int | None, message: str, *, printed: str = "", expected: str = ""
) -> Finding:
    """Return a finding about a row, or about its cell in a column."""
    return Finding(
        kind=kind,
        table=match.table.label,
        row=match.name(row),
        column="" if at is None else match.table.header[at][0],
        printed=printed if at is None else printed or match.cell(row, at).text,
        expected=expected,
        message=message,
        line=match.table.rows[row].line,
    )


def doubled_rows(match: MatchedTable) -> Iterator[Finding]:
    """Yield rows of a system that has one above."""
    first: dict[str, int] = {}
    for row, known in enumerate(match.rows):
        name = match.name(row)
        key = name_key(name) if known is None else f"model {known.model}"
        if not key or not any(match.numbers[row]):
            continue
        above = first.setdefault(key, row)
        same = all(
            left.text == right.text
            for at, (left, right) in enumerate(
                zip(match.table.rows[above].cells, match.table.rows[row].cells, strict=True)
            )
            if at in match.columns
        )
        if above != row and (known is not None or same):
            told = "the same" if same else "other"
            message = f"{name} is printed again with {told} numbers; it stands in line {match.table.rows[above].line}."
            yield cell_finding(match, "doubled-row", row, None, message, printed="twice", expected="once")


def number_findings(match: MatchedTable) -> Iterator[tuple[bool, Finding]]:
    """Yield (whether it is flagged, finding) of numbers that are wrong, missing, or not known."""
    for row, known in enumerate(match.rows):
        if known is None:
            continue
        for at, column in match.columns.items():
            text, number, cell = match.cell(row, at).text, match.numbers[row][at], known.cell(column.metric)
            where = f"{column.header} of {match.name(row)}"
            if number is not None:
                found = _wrong(match, row, at, column, number, cell)
                if found is not None:
                    yield True, found
            elif not is_missing(text):
                yield False, cell_finding(match, "cell", row, at, f"{where} is no number.")
            elif cell.value is None:
                message = f"{where} is missing, and {match.expected.origin} has no number either."
                yield False, cell_finding(match, "missing", row, at, message, expected="-")
            else:
                value = _told(cell.value, column.unit)
                message = f"{where} is missing; {match.expected.origin} has {value}."
                yield True, cell_finding(match, "missing", row, at, message, expected=value)


def _wrong(
    match: MatchedTable, row: int, at: int, column: ExpectedColumn, number: PrintedNumber, cell: ExpectedCell
) -> Finding | None:
    where = f"{column.header} of {match.name(row)}"
    if cell.value is None:
        message = f"{where} has a number; {match.expected.origin} has none."
        return cell_finding(match, "number", row, at, message, expected="-")
    if not agrees(number, cell.value):
        value = _told(cell.value, max(number.unit, Decimal("1e-9")))
        message = f"{where} is {_told(number.value, number.unit)}; {match.expected.origin} has {value}."
        return cell_finding(match, "number", row, at, message, expected=value)
    for end, printed, known in (("lower", number.low, cell.low), ("upper", number.high, cell.high)):
        if printed is None or known is None:
            continue
        if not agrees(PrintedNumber(printed, number.unit), known):
            value = _told(known, number.unit)
            message = f"The {end} end of the interval of {where} is {printed}; {match.expected.origin} has {value}."
            return cell_finding(match, "number", row, at, message, expected=value)
    return None


def _told(value: Decimal, unit: Decimal) -> str:
    return f"{rounded(value, unit).normalize():f}" if unit >= 1 else f"{rounded(value, unit):.{-unit.adjusted()}f}"


def bold_findings(match: MatchedTable) -> Iterator[Finding]:
    """Yield cells in bold that are not best, best cells that are not, and leads inside the noise.

    A table without bold claims nothing by it.
    """
    places = [(row, at) for row, numbers in enumerate(match.numbers) for at in match.columns if numbers[at]]
    if not any(match.cell(row, at).bold for row, at in places):
        return
    for at in match.columns:
        rows = [row for row, place in places if place == at]
        yield from _bold_of_column(match, at, rows)


def _bold_of_column(match: MatchedTable, at: int, rows: list[int]) -> Iterator[Finding]:
    column = match.columns[at]
    fine_unit, coarse_unit = match.units(at)
    rivals = [row for row in rows if match.is_rival(row)]
    fine = {row: match.expected.merit(column, match.value(row, at), fine_unit) for row in rivals}
    coarse = {row: match.expected.merit(column, match.value(row, at), coarse_unit) for row in rivals}
    known = [merit for merit in fine.values() if merit is not None]
    systems = {name_key(match.name(row)) if (its := match.rows[row]) is None else its.model for row in rivals}
    if not known or len(systems) < 2:
        return
    best, best_printed = max(known), max(merit for merit in coarse.values() if merit is not None)
    leaders = [row for row in rivals if fine[row] == best]
    # Where all are alike, marking none is as right as marking all.
    is_plain = len(leaders) == len(rivals) and not any(match.cell(row, at).bold for row in rows)
    names = " and ".join(dict.fromkeys(match.name(row) for row in leaders))
    value = match.value(leaders[0], at)
    told = "" if value is None else _told(value, coarse_unit)
    for row in rows:
        where, is_bold = f"{column.header} of {match.name(row)}", match.cell(row, at).bold
        if is_bold and not match.is_rival(row):
            message = f"{where} is bold; ground truth and baselines are never best, {names} is ({told})."
            yield cell_finding(match, "bold", row, at, message, expected="not bold")
        elif is_bold and coarse[row] != best_printed:
            message = f"{where} is bold and not the best, which is {names} ({told})."
            yield cell_finding(match, "bold", row, at, message, expected="not bold")
        elif not is_bold and row in leaders and not is_plain:
            message = f"{where} is the best of its column and not bold."
            yield cell_finding(match, "bold", row, at, message, expected="bold")
    marked = next((row for row in leaders if match.cell(row, at).bold), None)
    if marked is not None:
        yield from _noise(
            match, at, marked, [row for row in rivals if row not in leaders and not match.cell(row, at).bold]
        )


def _noise(match: MatchedTable, at: int, best: int, others: list[int]) -> Iterator[Finding]:
    leader = match.rows[best]
    unmarked = [
        row
        for row in others
        if leader is not None
        and (rival := match.rows[row]) is not None
        and TIED not in match.cell(row, at).text
        and _inside_noise(match, match.columns[at], leader, rival)
    ]
    if unmarked:
        names = ", ".join(match.name(row) for row in unmarked)
        message = (
            f"{match.columns[at].header}: the lead of {match.name(best)}, in bold, over {names} is inside the noise; "
            f"mark them {TIED} or as bold, or say so."
        )
        yield cell_finding(match, "noise", best, at, message, expected=f"tied with {names}")


def _inside_noise(match: MatchedTable, column: ExpectedColumn, leader: ExpectedRow, rival: ExpectedRow) -> bool:
    """Return whether a rival cannot be told from the leader; False where nothing is known."""
    left, right = leader.cell(column.metric), rival.cell(column.metric)
    merits = {
        row.model: match.expected.merit(column, row.cell(column.metric).value, column.unit)
        for row in match.expected.rows
        if not row.apart
    }
    best = max((merit for merit in merits.values() if merit is not None), default=None)
    if right.leads is not None and merits[leader.model] == best:
        return right.leads
    if column.direction == "reference" or left.value is None or right.value is None:
        return False
    if left.low is None or left.high is None or right.low is None or right.high is None:
        return False
    # Where no paired test compares these two: each mean lies in the interval of the other.
    return left.low <= right.value <= left.high and right.low <= left.value <= right.high


def strangers(match: MatchedTable) -> Iterator[Finding]:
    """Yield rows and columns with numbers that nothing is known of."""
    for row, known in enumerate(match.rows):
        if known is None and any(match.numbers[row][at] for at in match.columns):
            message = f"{match.expected.origin} has no system that is called so; its numbers are not checked."
            yield cell_finding(match, "row", row, None, message)
    for at, names in enumerate(match.table.header):
        if at in (match.name_at, *match.columns) or name_key(names[0]) in _COVERAGE:
            continue
        if any(numbers[at] for numbers in match.numbers):
            message = f"{match.expected.origin} has no column that is called so; its numbers are not checked."
            yield Finding(
                kind="column", table=match.table.label, column=names[0], message=message, line=match.table.line
            )
