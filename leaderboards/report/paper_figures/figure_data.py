"""What a figure of a paper is drawn from, as plain values that are kept in a file beside the picture."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from anisora.harness.protocols import Direction
from anisora.leaderboards.report.paper_figures.labels import short_labels
from anisora.leaderboards.table import LeaderboardTable, Row, TableColumn, badness_of
from anisora.leaderboards.typeset import plain
from anisora.leaderboards.words import Language, Words

__all__ = [
    "MOST_SYSTEMS",
    "PAGE_HEIGHT",
    "Axis",
    "FigureData",
    "FigureWords",
    "Number",
    "Omission",
    "Part",
    "Parts",
    "System",
    "axis_of",
    "best_rows",
    "named",
    "note_on_choice",
    "note_on_coverage",
    "systems_of",
]

MOST_SYSTEMS: Final = 20
"""What one picture has room for."""
PAGE_HEIGHT: Final = 8.8
"""Inches of a page, less a caption."""


Number = Annotated[float, Field(ge=-1e30, le=1e30)]
"""What can be drawn."""
_Each = TypeVar("_Each")
Parts = Annotated[tuple[_Each, ...], Field(min_length=1, max_length=2000)]
"""Systems, columns or labels, of which a real figure has far fewer."""


class FigureWords(Words):
    """Texts by key in one language, as ``Words``.

    Example:
        >>> FigureWords("zh")("pareto_unbeaten")
        '帕累托最优'
    """

    packages: ClassVar[tuple[str, ...]] = ("anisora.leaderboards.report.paper_figures", *Words.packages)


class Part(BaseModel):
    """A value in the data of a figure; keys that are not known are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        str_max_length=4000,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class FigureData(Part):
    """What every figure has."""

    language: Language
    """Of its texts, for which the fonts must have letters."""
    suite: str
    """The suite key of the runs."""
    title: str
    """What it shows, for a caption; not drawn."""
    note: str
    """How it is to be read; drawn below."""


class System(Part):
    """A system as it is drawn."""

    run_id: str
    label: str
    """Its name with daggers and other marks, shortened."""
    role: Literal["system", "baseline", "reference"]


class Axis(Part):
    """A column of the table as an axis, a spoke or a head."""

    metric: str
    label: str
    """The head of the column with the arrow of its direction."""
    direction: Direction | None
    scale: Number
    """Drawn is the natural value times this."""
    decimals: Annotated[int, Field(ge=0, le=12)]

    def printed(self, value: float) -> str:
        """Write a natural value as tables print it, with a true minus."""
        column = TableColumn(
            metric=self.metric, header="", direction=self.direction, scale=self.scale, decimals=self.decimals
        )
        return column.format(value).replace("-", "−")


class Omission(Part):
    """A figure that a report cannot have."""

    figure: str
    reason: str
    """A sentence."""


def axis_of(column: TableColumn) -> Axis:
    """Return a column as an axis."""
    return Axis(
        metric=column.metric,
        label=plain(f"{column.header} {column.arrow}".rstrip()),
        direction=column.direction,
        scale=column.scale,
        decimals=column.decimals,
    )


def systems_of(table: LeaderboardTable) -> dict[str, System]:
    """Return {run id: system} of all rows; names are short and no two alike."""
    labels = short_labels([plain(table.name(row)) for row in table.rows])
    found = {}
    for row, label in zip(table.rows, labels, strict=True):
        if labels.count(label) > 1:
            label = f"{label} ({row.run_id[-10:]})"
        role: Literal["system", "baseline", "reference"] = (
            "reference" if row.reference else "baseline" if row.baseline else "system"
        )
        found[row.run_id] = System(run_id=row.run_id, label=label, role=role)
    return found


def best_rows(table: LeaderboardTable, most: int) -> tuple[Row, ...]:
    """Return the systems and baselines that a figure has room for, in the order of the table.

    If there are more than ``most``, the best are taken: those of the least mean place over the columns that they have,
    a place being the share of the other systems that are better, equal ones counting half.
    """
    rows = [row for row in table.rows if not row.reference]
    if len(rows) <= most:
        return tuple(rows)
    truth = next((row for row in table.rows if row.reference), None)
    places: dict[str, list[float]] = {row.run_id: [] for row in rows}
    for at, column in enumerate(table.columns):
        true = truth.cells[at].value if truth is not None else None
        found = {row.run_id: badness_of(column, row.cells[at].value, true) for row in rows}
        known = {run_id: badness for run_id, badness in found.items() if badness is not None}
        for run_id, mine in known.items():
            if len(known) > 1:
                better = sum(other < mine for other in known.values())
                alike = sum(other == mine for other in known.values()) - 1
                places[run_id].append((better + alike / 2) / (len(known) - 1))
    mean = {run_id: sum(found) / len(found) if found else 1.0 for run_id, found in places.items()}
    best = {row.run_id for row in sorted(rows, key=lambda row: mean[row.run_id])[:most]}
    return tuple(row for row in rows if row.run_id in best)


def named(labels: list[str], say: FigureWords) -> str:
    """Join names as a sentence lists them."""
    return say("comma").join(labels)


def note_on_choice(table: LeaderboardTable, say: FigureWords, systems: int, columns: int | None = None) -> list[str]:
    """Return sentences on what a page had no room for.

    Args:
        table: Of the report.
        say: The language.
        systems: That it had room for.
        columns: The same; None where the figure shows no columns.
    """
    there = sum(not row.reference for row in table.rows)
    notes = [say("best_shown", shown=systems, systems=there)] if there > systems else []
    if columns is not None and len(table.columns) > columns:
        notes.append(say("first_shown", shown=columns, columns=len(table.columns)))
    return notes


def note_on_coverage(rows: Sequence[Row], places: Sequence[int], say: FigureWords, labels: Sequence[str]) -> list[str]:
    """Return a sentence on rows whose means are over fewer items than those of others beside them.

    Args:
        rows: As drawn.
        places: Of the columns drawn.
        say: The language.
        labels: Of the rows.
    """
    most = [max(row.cells[place].scored for row in rows) for place in places]
    fewer = []
    for row, label in zip(rows, labels, strict=True):
        cells = [row.cells[place] for place in places]
        short = [cell for cell, wanted in zip(cells, most, strict=True) if 0 < cell.scored < wanted]
        if short:
            least = min(short, key=lambda cell: cell.scored)
            fewer.append(say("fewer_item", label=label, scored=least.scored, items=least.items))
    return [say("fewer", systems=named(fewer, say))] if fewer else []
