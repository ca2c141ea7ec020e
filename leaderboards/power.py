"""What the items of a suite can show: the smallest gap between two systems, and how many items a gap needs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from anisora.harness.errors import RecordError
from anisora.harness.runfolder import ScoreRow
from anisora.harness.statistics.power import PairedPower, items_needed, paired_power
from anisora.leaderboards.pairing import rows_by_metric, shared_clusters, values_of
from anisora.leaderboards.table import LeaderboardTable, TableColumn
from anisora.leaderboards.typeset import text_grid

__all__ = ["ColumnPower", "power_of_columns", "power_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPower:
    """One column, in natural units; medians over the pairs of systems."""

    column: TableColumn
    pairs: int
    """Pairs of systems that a figure could be made for."""
    items: int | None
    clusters: int | None
    standard_deviation: float | None
    """Of the differences of items."""
    design_effect: float | None
    minimum_detectable_effect: float | None
    """Smallest true mean difference that is found with probability ``power``."""
    largest_gap: float | None
    """Between the means of two systems; a gap to ask about."""
    items_for_half: int | None
    """Items that would show half of the smallest detectable gap."""
    note: str
    """Why there is no figure; empty where there is one."""


def power_of_columns(
    table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]], *, power: float = 0.8, level: float = 0.95
) -> tuple[ColumnPower, ...]:
    """Return what each column of a table can show, from how its systems differ item by item.

    Args:
        table: Two systems or more; ground truth and baselines do not count.
        scores: {run id: its rows}.
        power: Probability of finding the gap, above ``1 - level`` and below 1.
        level: 1 less the error of a two-sided test.

    Raises:
        RecordError: There are fewer than two systems.
        MetricError: Power or level is out of range.
    """
    systems = [row for row in table.rows if not (row.reference or row.baseline)]
    if len(systems) < 2:
        raise RecordError(
            f"Suite `{table.suite_key}` has {len(systems)} system in the leaderboard; expected two or more, from whose "
            "differences the figures are read. Score another, such as damage/blur."
        )
    by_run = {row.run_id: rows_by_metric(scores[row.run_id]) for row in systems}
    found = []
    for column in table.columns:
        rows = [by_run[row.run_id].get(column.metric, []) for row in systems]
        pairs = [
            paired_power(values_of(left), values_of(right), shared_clusters(left, right), power=power, level=level)
            for left, right in itertools.combinations([mine for mine in rows if mine], 2)
        ]
        cells = [row.cells[table.columns.index(column)].value for row in systems]
        means = [value for value in cells if value is not None]
        found.append(_column(column, pairs, max(means) - min(means) if len(means) > 1 else None, power, level))
    return tuple(found)


def _column(
    column: TableColumn, pairs: Sequence[PairedPower], gap: float | None, power: float, level: float
) -> ColumnPower:
    able = [pair for pair in pairs if pair.minimum_detectable_effect is not None]
    if not able:
        note = pairs[0].note if pairs else "fewer than two systems have it"
        return ColumnPower(
            column=column,
            pairs=0,
            items=None,
            clusters=None,
            standard_deviation=None,
            design_effect=None,
            minimum_detectable_effect=None,
            largest_gap=gap,
            items_for_half=None,
            note=note,
        )
    least = median(pair.minimum_detectable_effect for pair in able if pair.minimum_detectable_effect is not None)
    deviation = median(pair.standard_deviation for pair in able if pair.standard_deviation is not None)
    items, clusters = (
        round(median(counts)) for counts in zip(*((pair.items, pair.clusters) for pair in able), strict=True)
    )
    return ColumnPower(
        column=column,
        pairs=len(able),
        items=items,
        clusters=clusters,
        standard_deviation=deviation,
        design_effect=median(pair.design_effect for pair in able if pair.design_effect is not None),
        minimum_detectable_effect=least,
        largest_gap=gap,
        items_for_half=items_needed(
            least / 2,
            deviation,
            items_per_cluster=items / clusters,
            intraclass_correlation=median(pair.intraclass_correlation or 0.0 for pair in able),
            power=power,
            level=level,
        ),
        note="",
    )


def power_text(suite_key: str, columns: Sequence[ColumnPower], *, power: float, level: float) -> str:
    """Write the figures as text, as printed in the columns."""
    header = ["Column", "Pairs", "Items", "Clusters", "SD of differences", "Design effect", "Detectable", "Largest gap"]
    header.append("Items for half")

    def cells(found: ColumnPower) -> list[str]:
        column = found.column

        def number(value: float | None) -> str:
            return "-" if value is None else column.format(value)

        counts = ["-" if count is None else str(count) for count in (found.items, found.clusters)]
        effect = "-" if found.design_effect is None else f"{found.design_effect:.2f}"
        figures = [number(found.standard_deviation), effect, number(found.minimum_detectable_effect)]
        half = "-" if found.items_for_half is None else str(found.items_for_half)
        return [column.header, str(found.pairs), *counts, *figures, number(found.largest_gap), half]

    notes = [f"No figure for {found.column.header}: {found.note}." for found in columns if found.note]
    lines = [
        f"{suite_key}: what its items can show between two systems, medians over pairs",
        "",
        *text_grid(header, [[cells(found) for found in columns]]),
        "",
        f"Detectable: the smallest true difference of two systems' means that a paired two-sided test at "
        f"{100 * (1 - level):g} % finds with probability {power:g}.",
        "Items for half: items, in clusters as large as these, that would find half of it.",
        *notes,
    ]
    return "\n".join(lines) + "\n"
