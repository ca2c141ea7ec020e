"""Tables that others have published, as data: cells as printed, with their source, reported and not reproduced.

One YAML file a table lies beside this module. A model has one name in all of them, which is what joins them.
"""

import re
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError, model_validator

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.inputs.paths import shortened
from anisora.leaderboards.places import first_and_second

__all__ = [
    "MISSING",
    "PublishedColumn",
    "PublishedRow",
    "PublishedSource",
    "PublishedTable",
    "parse_published",
    "published_suites",
    "published_table",
    "published_tables",
]

MISSING: Final = "-"
"""What stands in a cell without a number."""

_PACKAGE: Final = "anisora.leaderboards.published"
_BOLD: Final = re.compile(r"\*\*(.+)\*\*")

_Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
_Line = Annotated[str, Field(pattern=r"^\S(.*\S)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedSource(_Strict):
    """Where a table was read."""

    title: _Line
    url: Annotated[str, Field(pattern=r"^https://\S+$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """The revision of a repository."""
    date: date
    """Of that revision, or of the publication."""


class PublishedColumn(_Strict):
    """A column as printed."""

    metric: _Word
    """The name that this project has for it."""
    header: _Line
    header_zh: _Line
    direction: Literal["higher", "lower"]
    decimals: Annotated[StrictInt, Field(ge=0, le=9)]


class PublishedRow(_Strict):
    """A system as printed. Names and cells keep the ``**`` around what the source prints in bold."""

    model: _Word
    """The name that this project has for it, the same in every table."""
    printed: _Line
    """The name in the source."""
    reference: StrictBool = False
    """Whether this is the ground truth."""
    times_printed: Annotated[StrictInt, Field(ge=1)] = 1
    """How often the source has the very same row."""
    cells: tuple[str, ...]

    def text(self, at: int) -> str:
        """Return a cell without its marks of bold."""
        return _BOLD.sub(r"\1", self.cells[at])

    def value(self, at: int) -> float | None:
        """Return the number of a cell, in the unit in which it is printed; None where there is none."""
        return None if self.text(at) == MISSING else float(self.text(at))

    def is_bold(self, at: int) -> bool:
        """Return whether the source prints a cell in bold."""
        return _BOLD.fullmatch(self.cells[at]) is not None


class PublishedTable(_Strict):
    """A table as printed, and what follows from it: which values are best, and which beat the ground truth."""

    suite: _Word
    """The suite whose columns these are."""
    title: _Line
    title_zh: _Line
    metrics_of: _Line
    """Whose metrics the columns hold, as a sentence names them."""
    status: Literal["reported, not reproduced"]
    source: PublishedSource
    notes: tuple[_Line, ...] = ()
    columns: Annotated[tuple[PublishedColumn, ...], Field(min_length=1)]
    rows: Annotated[tuple[PublishedRow, ...], Field(min_length=1)]
    """In the order of the source."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the columns, in their order."""
        return tuple(column.metric for column in self.columns)

    @property
    def generated(self) -> tuple[PublishedRow, ...]:
        """The rows that are not the ground truth."""
        return tuple(row for row in self.rows if not row.reference)

    @property
    def reference(self) -> PublishedRow | None:
        """The row of the ground truth, where there is one."""
        return next((row for row in self.rows if row.reference), None)

    def row(self, model: str) -> PublishedRow:
        """Return the row of a model.

        Raises:
            UnknownNameError: The table has no such row.
        """
        by_model = {row.model: row for row in self.rows}
        if model not in by_model:
            hint = f"The published table `{self.suite}` has: {', '.join(by_model)}."
            raise UnknownNameError("model", model, by_model, hint)
        return by_model[model]

    def is_best(self, row: PublishedRow, at: int) -> bool:
        """Return whether no generated row has a better value in a column; ground truth is never best."""
        merits = [merit for other in self.generated if (merit := self.merit(other, at)) is not None]
        return not row.reference and self.merit(row, at) is not None and self.merit(row, at) == max(merits)

    def is_second(self, row: PublishedRow, at: int) -> bool:
        """Return whether a generated row has the second best value of a column, as ``places`` says."""
        _, second = first_and_second(
            [-merit for other in self.generated if (merit := self.merit(other, at)) is not None]
        )
        merit = self.merit(row, at)
        return not row.reference and merit is not None and second is not None and -merit == second

    def is_above_reference(self, row: PublishedRow, at: int) -> bool:
        """Return whether a generated row has a better value than the ground truth."""
        truth = None if self.reference is None else self.merit(self.reference, at)
        merit = self.merit(row, at)
        return truth is not None and merit is not None and not row.reference and merit > truth

    def above_reference(self) -> dict[str, int]:
        """Count, per metric, the generated rows that are better than the ground truth."""
        return {
            metric: sum(self.is_above_reference(row, at) for row in self.generated)
            for at, metric in enumerate(self.metrics)
        }

    def bold_differences(self) -> tuple[tuple[str, str], ...]:
        """Return (model, metric) of the cells that are best and not bold in the source, or bold there and not best."""
        return tuple(
            (row.model, metric)
            for row in self.rows
            for at, metric in enumerate(self.metrics)
            if row.is_bold(at) != self.is_best(row, at)
        )

    def merit(self, row: PublishedRow, at: int) -> float | None:
        """Return the number of a cell, turned so that greater is better."""
        value = row.value(at)
        return -value if value is not None and self.columns[at].direction == "lower" else value

    @model_validator(mode="after")
    def _fits_together(self) -> "PublishedTable":
        for name, values in (
            ("columns.metric", self.metrics),
            ("columns.header", tuple(column.header for column in self.columns)),
            ("rows.model", tuple(row.model for row in self.rows)),
        ):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"`{name}` has {twice!r} twice; expected each once")
        if sum(row.reference for row in self.rows) > 1:
            raise ValueError("two rows are the `reference`; expected at most one ground truth")
        for row in self.rows:
            self._check_cells(row)
        return self

    def _check_cells(self, row: PublishedRow) -> None:
        if len(row.cells) != len(self.columns):
            raise ValueError(
                f"row {row.model!r} has {len(row.cells)} cells; expected one for each of {len(self.columns)} columns"
            )
        for at, column in enumerate(self.columns):
            fraction = rf"\.\d{{{column.decimals}}}" if column.decimals else ""
            if row.text(at) != MISSING and not re.fullmatch(rf"-?\d+{fraction}", row.text(at)):
                raise ValueError(
                    f"`{column.metric}` of row {row.model!r} got {shortened(row.cells[at])}; expected a number with "
                    f"{column.decimals} decimals, or {MISSING!r}"
                )
            if row.text(at) == MISSING and row.is_bold(at):
                raise ValueError(f"`{column.metric}` of row {row.model!r} is bold and has no number; expected one")


def published_suites() -> list[str]:
    """Return the suites that have published rows, sorted."""
    names = [entry.name for entry in files(_PACKAGE).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def published_tables() -> tuple[PublishedTable, ...]:
    """Return every published table, sorted by suite."""
    return tuple(published_table(suite) for suite in published_suites())


@cache
def published_table(suite: str) -> PublishedTable:
    """Return the published rows of a suite.

    Raises:
        UnknownNameError: There are none; the message has the suites that have some.

    Example:
        >>> published_table("vbench-i2v-8").row("vidu-1.5").printed
        'Vidu'
    """
    known = published_suites()
    if suite not in known:
        raise UnknownNameError("published table", suite, known, f"Published rows exist for: {', '.join(known)}.")
    resource = files(_PACKAGE).joinpath(f"{suite}.yaml")
    table = parse_published(resource.read_text(encoding="utf-8"), f"{_PACKAGE}:{suite}.yaml")
    if table.suite != suite:
        raise ConfigError(f"`{suite}.yaml` got `suite` {table.suite!r}; expected the name of the file; correct one.")
    return table


def parse_published(text: str, origin: str) -> PublishedTable:
    """Read a published table from YAML.

    Args:
        text: The content of a file.
        origin: What an error calls the file.

    Raises:
        ConfigError: It is not a published table; the message has the place and the value.
    """
    try:
        return PublishedTable.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"`{origin}`: {_reason(error)}; correct the file.") from None


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"is not YAML of a published table ({shortened(str(error).splitlines()[0])})"
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"`{place}` got {shortened(first['input'])}; {message}" if place else message
