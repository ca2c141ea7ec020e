"""From run records to the table of a suite, as a value: rows, cells, marks and footnotes.

How it looks is the business of ``render``.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.protocols import Direction
from anisora.harness.record import MetricResult, RunRecord
from anisora.leaderboards.comparability import FieldDifference, check_comparable, dagger
from anisora.leaderboards.footnotes import footnotes_of
from anisora.leaderboards.places import first_and_second
from anisora.leaderboards.selection import select_runs
from anisora.leaderboards.words import Words

__all__ = [
    "Cell",
    "ColumnChoice",
    "ColumnLike",
    "LeaderboardTable",
    "Row",
    "TableColumn",
    "badness_of",
    "build_table",
    "columns_of",
    "tidy_rows",
]


class ColumnLike(Protocol):
    """A column as a suite declares it."""

    @property
    def metric(self) -> str:
        """The name of the metric."""
        ...

    @property
    def header(self) -> str:
        """What stands above the column."""
        ...

    @property
    def scale(self) -> float:
        """Printed is the natural value times this."""
        ...

    @property
    def decimals(self) -> int:
        """Printed digits after the point."""
        ...


ColumnChoice = ColumnLike | str
"""A column of a suite, or just the name of a metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A metric as a column."""

    metric: str
    header: str
    direction: Direction | None
    """None where no run has the metric."""
    scale: float = 1.0
    """Printed is the natural value times this."""
    decimals: int = 3

    @property
    def arrow(self) -> str:
        """Which way is better: up, down, or towards the ground truth."""
        return {"higher": "↑", "lower": "↓", "reference": "→", None: ""}[self.direction]

    def format(self, value: float) -> str:
        """Write a natural value as printed; zero has no sign."""
        text = f"{value * self.scale:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text

    def printed(self, value: float) -> float:
        """Return a natural value at the precision of print, where ties are decided."""
        return float(self.format(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number with its interval and its coverage, in natural units."""

    metric: str
    value: float | None = None
    """None where the run does not have the metric or could score nothing: shown as "-", never as zero."""
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    interval: str = ""
    """How the interval was made; empty where there is none."""
    note: str = ""
    """Why there is no value or no interval."""
    standard_error: float | None = None
    scored: int = 0
    unscored: int = 0
    errors: int = 0
    items: int = 0
    """Planned, of which ``scored`` have a value."""
    clusters: int = 0
    best: bool = False
    second: bool = False
    """Second best; nobody is behind two that share the first place."""
    tied: bool = False
    """Not distinguishable from the best of its column."""
    rank_low: int | None = None
    """The best rank that the paired tests leave open; None where there is none."""
    rank_high: int | None = None
    above_reference: bool = False
    """Better than the ground truth, which deserves suspicion."""

    @property
    def coverage(self) -> tuple[int, int, int]:
        """Return (scored items, planned items, clusters)."""
        return self.scored, self.items, self.clusters


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run."""

    run_id: str
    model: str
    cells: tuple[Cell, ...]
    protocol_digest: str
    finished: str
    reference: bool = False
    baseline: bool = False
    """A degenerate baseline that stands apart."""
    untrained: str | None = None
    subset: str = ""
    """Of an estimate from a part of the suite: how many items of how many."""
    daggers: tuple[str, ...] = ()
    """Protocol fields in which the run differs from most."""

    @property
    def coverage(self) -> tuple[int, int, int]:
        """Return (scored items, planned items, clusters) of most cells; a cell of another coverage tells its own."""
        counts = Counter(cell.coverage for cell in self.cells if cell.value is not None)
        return max(
            counts,
            key=lambda covered: (counts[covered], covered),
            default=(0, self.cells[0].items if self.cells else 0, 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardTable:
    """A table that can be shown in any style."""

    title: str
    suite_key: str
    columns: tuple[TableColumn, ...]
    rows: tuple[Row, ...]
    """Ground truth comes last, baselines before it."""
    daggers: tuple[tuple[str, str], ...]
    """(protocol field, mark) of the differences that were allowed."""
    footnotes: tuple[str, ...]

    @property
    def groups(self) -> tuple[tuple[Row, ...], ...]:
        """Return the rows of systems, of degenerate baselines and of ground truth, without empty groups."""
        systems = tuple(row for row in self.rows if not (row.reference or row.baseline))
        baselines = tuple(row for row in self.rows if row.baseline and not row.reference)
        truth = tuple(row for row in self.rows if row.reference)
        return tuple(group for group in (systems, baselines, truth) if group)

    def marks(self, row: Row) -> str:
        """Return the daggers of a row."""
        return "".join(mark for field, mark in self.daggers if field in row.daggers)

    def name(self, row: Row) -> str:
        """Return the name of a row with everything that must never be left out beside it."""
        return f"{row.model}{self.warnings(row)}"

    def name_and_settings(self, row: Row) -> tuple[str, str]:
        """Return the name without what its specification sets, but with everything else; and what it sets."""
        name, _, settings = row.model.partition(":")
        return f"{name}{self.warnings(row)}", settings

    def warnings(self, row: Row) -> str:
        """Return what must never be left out beside a name: daggers, and whether a run is a subset or untrained."""
        untrained = "" if row.untrained is None else " [UNTRAINED]"
        subset = f" [SUBSET {row.subset}]" if row.subset else ""
        return f"{self.marks(row)}{subset}{untrained}"


def build_table(
    records: Sequence[RunRecord],
    columns: Sequence[ColumnChoice] = (),
    *,
    title: str = "",
    models: Sequence[str] = (),
    allow_diff: Collection[str] = (),
    show_untrained: bool = False,
    sort_by: str | None = None,
    language: str = "en",
    baselines: Collection[str] = (),
) -> LeaderboardTable:
    """Build the table of one suite.

    Runs whose protocols differ are refused unless the field is in ``allow_diff``; then the runs that differ
    from most carry a dagger. Of several runs of a model under one protocol the fullest counts, then the
    newest. Ground truth is apart and never best; it may differ in the fields of ``REFERENCE_EXEMPT``. The
    best value of each column is marked where there are two or more to choose from; all that print alike are
    best. So is the second best, as ``places`` says.

    Args:
        records: Runs of one suite.
        columns: What to show, as a suite declares it or by metric name; all metrics when left out.
        title: Above the table; the suite key when left out.
        models: Model names or run ids, in the order wanted; all when left out.
        allow_diff: Protocol fields that may differ: ``encoder``, or ``metric.field``.
        show_untrained: Show runs of random weights, and no others.
        sort_by: The metric that orders the rows, best first; by name when left out.
        language: Of the footnotes: ``en`` or ``zh``.
        baselines: Run ids of degenerate baselines: apart like ground truth, never best, and free to differ in the
            fields of ``REFERENCE_EXEMPT``.

    Raises:
        ConfigError: The language is not known.
        RecordError: There is nothing to show, or the runs may not share a table.
        UnknownNameError: A model, metric or field is not there.
    """
    metrics = [column if isinstance(column, str) else column.metric for column in columns] or _metrics_of(records)
    selection = select_runs(records, metrics, models=models, show_untrained=show_untrained)
    shown = selection.shown
    made = columns_of(columns or metrics, shown)
    differences = check_comparable(shown, metrics, allow_diff, baselines)
    rows = tuple(
        replace(_row(record, made, differences), baseline=record.run_id in baselines and not record.reference)
        for record in shown
    )
    rows = _marked(rows, made)
    if sort_by is not None:
        rows = _sorted_by(rows, made, sort_by)
    elif not models:
        rows = tuple(sorted(rows, key=lambda row: (row.reference, row.model, row.finished, row.run_id)))
    rows = tuple(sorted(rows, key=lambda row: (row.reference, row.baseline)))
    table = LeaderboardTable(
        title=title or shown[0].suite_key,
        suite_key=shown[0].suite_key,
        columns=made,
        rows=rows,
        footnotes=(),
        daggers=tuple((difference.field, dagger(index)) for index, difference in enumerate(differences)),
    )
    return replace(table, footnotes=footnotes_of(table, differences, selection, Words(language)))


def columns_of(columns: Sequence[ColumnChoice], records: Sequence[RunRecord]) -> tuple[TableColumn, ...]:
    """Complete columns with the direction that the runs tell.

    Raises:
        RecordError: Two runs disagree on the direction of a metric.
        UnknownNameError: A metric given by name is in no run.
    """
    directions: dict[str, Direction] = {}
    for record in records:
        for result in record.results:
            if directions.setdefault(result.metric, result.direction) != result.direction:
                raise RecordError(
                    f"Metric `{result.metric}` is {result.direction!r} in run `{record.run_id}` and "
                    f"{directions[result.metric]!r} in another; score one of them again."
                )
    made = []
    for column in columns:
        if isinstance(column, str):
            if column not in directions:
                hint = f"The runs have: {', '.join(sorted(directions)) or 'no metric'}."
                raise UnknownNameError("metric", column, directions, hint)
            decimals = _decimals_for(records, column)
            made.append(TableColumn(metric=column, header=column, decimals=decimals, direction=directions[column]))
        else:
            made.append(
                TableColumn(
                    metric=column.metric,
                    header=column.header,
                    scale=column.scale,
                    decimals=column.decimals,
                    direction=directions.get(column.metric),
                )
            )
    return tuple(made)


def _decimals_for(records: Sequence[RunRecord], metric: str) -> int:
    """Four significant digits of the largest value, where no suite says how a metric is printed."""
    results = [record.result(metric) for record in records]
    largest = max((abs(result.value) for result in results if result is not None and result.value), default=1.0)
    return min(9, max(0, 3 - math.floor(math.log10(largest))))


def _metrics_of(records: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(result.metric for record in records for result in record.results))


def _row(record: RunRecord, columns: Sequence[TableColumn], differences: Sequence[FieldDifference]) -> Row:
    return Row(
        run_id=record.run_id,
        model=record.spec.model,
        reference=record.reference,
        untrained=record.untrained,
        subset="" if record.population is None else f"{record.items} of {sum(record.population.values())}",
        finished=record.finished,
        protocol_digest=record.protocol.digest,
        cells=tuple(_cell(record, column.metric) for column in columns),
        daggers=tuple(difference.field for difference in differences if difference.differs(record)),
    )


def _cell(record: RunRecord, metric: str) -> Cell:
    result: MetricResult | None = record.result(metric)
    if result is None:
        return Cell(metric=metric, items=record.items, note=record.excluded.get(metric, "not in this run"))
    return Cell(
        metric=metric,
        value=result.value,
        low=result.low,
        high=result.high,
        level=result.level,
        interval=result.interval,
        note=result.interval_note,
        standard_error=result.standard_error,
        scored=result.scored,
        unscored=result.unscored,
        errors=result.errors,
        items=record.items,
        clusters=result.clusters,
    )


def _marked(rows: tuple[Row, ...], columns: Sequence[TableColumn]) -> tuple[Row, ...]:
    """Mark the best and the second best cells, and those that beat the ground truth."""
    cells = [list(row.cells) for row in rows]
    for at, column in enumerate(columns):
        reference = next((row.cells[at] for row in rows if row.reference), None)
        truth = None if reference is None else reference.value
        rank = {
            index: rank
            for index, row in enumerate(rows)
            if not row.reference and (rank := badness_of(column, row.cells[at].value, truth)) is not None
        }
        rivals = [badness for index, badness in rank.items() if not rows[index].baseline]
        best, second = first_and_second(rivals)
        limit = None if column.direction == "reference" else badness_of(column, truth, truth)
        for index, badness in rank.items():
            above = limit is not None and badness < limit and _same_items(rows[index].cells[at], reference)
            is_rival = not rows[index].baseline
            cells[index][at] = replace(
                cells[index][at],
                best=is_rival and badness == best,
                second=is_rival and badness == second,
                above_reference=above,
            )
    return tuple(replace(row, cells=tuple(mine)) for row, mine in zip(rows, cells, strict=True))


def _same_items(cell: Cell, reference: Cell | None) -> bool:
    """Whether a cell can be over the reference's items: means over fewer or more of them say nothing of it."""
    return reference is not None and (cell.scored, cell.items) == (reference.scored, reference.items)


def badness_of(column: TableColumn, value: float | None, truth: float | None) -> float | None:
    """Return a number that is less for better values, as precise as print; None where there is no better.

    Args:
        column: The column of the value.
        value: Natural; None where there is none.
        truth: The value of the ground truth, to which the distance counts where the direction is ``reference``.
    """
    if value is None or column.direction is None:
        return None
    if column.direction == "reference":
        return None if truth is None else column.printed(abs(value - truth))
    return -column.printed(value) if column.direction == "higher" else column.printed(value)


def _sorted_by(rows: tuple[Row, ...], columns: Sequence[TableColumn], metric: str) -> tuple[Row, ...]:
    at = next((index for index, column in enumerate(columns) if column.metric == metric), None)
    if at is None:
        known = [column.metric for column in columns]
        raise UnknownNameError("column", metric, known, f"The table has: {', '.join(known)}.")
    truth = next((row.cells[at].value for row in rows if row.reference), None)

    def order(row: Row) -> tuple[bool, float, str, str]:
        badness = badness_of(columns[at], row.cells[at].value, truth)
        return badness is None, badness or 0.0, row.model, row.run_id

    return tuple(sorted(rows, key=order))


def tidy_rows(table: LeaderboardTable) -> list[dict[str, Any]]:
    """Return one mapping per row and column, in natural units, with everything a cell holds."""
    found = []
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            found.append(_tidy(table, row, column, cell))
    return found


def _tidy(table: LeaderboardTable, row: Row, column: TableColumn, cell: Cell) -> dict[str, Any]:
    return {
        "suite": table.suite_key,
        "model": row.model,
        "run_id": row.run_id,
        "reference": row.reference,
        "baseline": row.baseline,
        "untrained": row.untrained,
        "subset": row.subset,
        "metric": column.metric,
        "header": column.header,
        "direction": column.direction,
        "value": cell.value,
        "low": cell.low,
        "high": cell.high,
        "level": cell.level,
        "interval": cell.interval,
        "note": cell.note,
        "standard_error": cell.standard_error,
        "scored": cell.scored,
        "items": cell.items,
        "unscored": cell.unscored,
        "errors": cell.errors,
        "clusters": cell.clusters,
        "best": cell.best,
        "second": cell.second,
        "tied": cell.tied,
        "rank_low": cell.rank_low,
        "rank_high": cell.rank_high,
        "above_reference": cell.above_reference,
        "differs_in": " ".join(row.daggers),
        "protocol_digest": row.protocol_digest,
        "finished": row.finished,
    }
