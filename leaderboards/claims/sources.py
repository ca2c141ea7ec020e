"""The values that claims are compared with, taken from a leaderboard and from the published tables."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import AnisoraError, UnknownNameError
from anisora.leaderboards.claims.expected import ExpectedCell, ExpectedColumn, ExpectedRow, ExpectedTable
from anisora.leaderboards.published.tables import PublishedTable, published_tables
from anisora.leaderboards.table import Cell, LeaderboardTable, TableColumn

if TYPE_CHECKING:
    from anisora.leaderboards.store import Leaderboard

__all__ = ["expected_of_leaderboard", "expected_of_published", "known_tables"]

_TRUTH_NAMES: Final = ("GT", "Ground Truth", "真值")


def expected_of_published(table: PublishedTable) -> ExpectedTable:
    """Return what a published table says, cells as printed there."""
    columns = tuple(
        ExpectedColumn(
            metric=column.metric,
            header=column.header,
            names=(column.header, column.header_zh, column.metric),
            other_names=_headings(column.metric),
            direction=column.direction,
            unit=Decimal(1).scaleb(-column.decimals),
        )
        for column in table.columns
    )
    rows = tuple(
        ExpectedRow(
            model=row.model,
            names=(row.model, row.printed, *(_TRUTH_NAMES if row.reference else ())),
            other_names=_printed_names(row.model),
            cells={
                metric: ExpectedCell(value=None if row.value(at) is None else Decimal(row.text(at)))
                for at, metric in enumerate(table.metrics)
            },
            apart=row.reference,
            reference=row.reference,
        )
        for row in table.rows
    )
    return ExpectedTable(table.suite, f"the published table {table.suite}", columns, rows)


def expected_of_leaderboard(table: LeaderboardTable) -> ExpectedTable:
    """Return what the runs of a leaderboard say, in printed units and not yet rounded."""
    columns = tuple(
        ExpectedColumn(
            metric=column.metric,
            header=column.header,
            names=(column.header, column.metric),
            other_names=_headings(column.metric),
            direction=column.direction,
            unit=Decimal(1).scaleb(-column.decimals),
            scale=Decimal(repr(column.scale)),
        )
        for column in table.columns
    )
    rows = tuple(
        ExpectedRow(
            model=row.model,
            names=(row.model, row.run_id, *(_TRUTH_NAMES if row.reference else ())),
            other_names=_printed_names(row.model),
            cells={column.metric: _cell(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)},
            apart=row.reference or row.baseline,
            reference=row.reference,
        )
        for row in table.rows
    )
    return ExpectedTable(table.suite_key, f"the leaderboard's {table.suite_key}", columns, rows)


def _cell(column: TableColumn, cell: Cell) -> ExpectedCell:
    def printed(value: float | None) -> Decimal | None:
        # The exact value of the float, which is what decides how it is rounded where tables are written.
        return None if value is None else Decimal(value * column.scale)

    leads = None if cell.rank_low is None else cell.best or cell.tied
    return ExpectedCell(value=printed(cell.value), low=printed(cell.low), high=printed(cell.high), leads=leads)


@cache
def _all_headings() -> Mapping[str, tuple[str, ...]]:
    """Return {metric: headings} of the suites and the published tables."""
    from anisora.harness.registry import registry
    from anisora.harness.suite import load_suite

    found: dict[str, dict[str, None]] = {}
    for name in registry("suites").names():
        for column in load_suite(name).columns:
            found.setdefault(column.metric, {}).update({column.header: None, column.header_zh or column.header: None})
    for table in published_tables():
        for printed in table.columns:
            found.setdefault(printed.metric, {}).update({printed.header: None, printed.header_zh: None})
    return {metric: tuple(headings) for metric, headings in found.items()}


def _headings(metric: str) -> tuple[str, ...]:
    return _all_headings().get(metric, ())


@cache
def _printed_names(model: str) -> tuple[str, ...]:
    """Return the names that published tables print for a model."""
    return tuple(row.printed for table in published_tables() for row in table.rows if row.model == model)


def known_tables(
    board: "Leaderboard | None" = None, suite: str | None = None
) -> tuple[tuple[ExpectedTable, ...], tuple[str, ...]]:
    """Return all that a table may be compared with, and why suites of the leaderboard are left out.

    A suite that is both on the leaderboard and published is there three times: each alone, and the leaderboard with
    what only the publication has. Where a leaderboard has runs of degenerate baselines, its table is there with them
    as systems, and apart.

    Args:
        board: Finished runs; none when left out.
        suite: A suite's name or key; all when left out.

    Raises:
        AnisoraError: The suite that was asked for cannot be shown as a table.
        UnknownNameError: The suite that was asked for is neither on the leaderboard nor published.
    """
    published = {table.suite: expected_of_published(table) for table in published_tables()}
    name = None if suite is None else suite.partition("@")[0]
    keys = [] if board is None else [key for key in board.suites() if suite in (None, key, key.partition("@")[0])]
    if board is not None and suite is not None and keys:
        keys = [board.suite_key(suite)]
    found, left_out = [], []
    for key in keys:
        assert board is not None
        try:
            mine = list(_of_board(board, key))
        except AnisoraError as error:
            if suite is not None:
                raise
            left_out.append(f"Suite `{key}` of the leaderboard is left out: {error}")
            continue
        reported = published.get(key.partition("@")[0])
        found += [*mine, *(table.merged(reported) for table in mine if reported is not None)]
    found += [table for its_name, table in published.items() if name in (None, its_name)]
    if suite is not None and not found:
        known = [*published, *([] if board is None else board.suites())]
        raise UnknownNameError("suite", suite, known, f"Tables are known of: {', '.join(known)}.")
    return tuple(found), tuple(left_out)


def _of_board(board: "Leaderboard", key: str) -> Iterator[ExpectedTable]:
    from anisora.leaderboards.baselines import baseline_runs
    from anisora.leaderboards.commands import columns_of_suite

    columns, apart = columns_of_suite(key, None), baseline_runs(board, key)
    yield expected_of_leaderboard(board.build_table(key, columns))
    if apart:
        yield expected_of_leaderboard(board.build_table(key, columns, baselines=apart))
