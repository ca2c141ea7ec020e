"""What a check tells: one line a cell, row or sentence, flagged or only listed."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["CheckedTable", "Finding", "Kind", "Report"]

Kind = Literal[
    "number", "missing", "bold", "doubled-row", "order", "noise", "cell", "row", "column", "table", "claim", "suite"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not follow from what is known, or that could not be checked."""

    kind: Kind
    table: str = ""
    row: str = ""
    column: str = ""
    printed: str = ""
    expected: str = ""
    message: str
    line: int = 0
    """In the file, from 1; 0 where it is of no line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTable:
    """A table that was compared, and with what."""

    table: str
    suite: str
    origin: str
    cells: int
    """Cells of known systems in known columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a check of a file tells."""

    file: str
    tables: tuple[CheckedTable, ...]
    found: int
    """Tables in the file, whatever they show."""
    flagged: tuple[Finding, ...]
    unchecked: tuple[Finding, ...]
    """What could not be checked, and what is missing at the source, too."""

    def as_json(self) -> dict[str, Any]:
        """Return the report as values that JSON has."""
        return asdict(self)
