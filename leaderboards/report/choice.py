"""Which items a report shows: the best, the worst and the most disputed, by a rule that is stated.

Each clip of a generated system has, in each column, a percentile among all clips of all generated systems: 0 the
worst, 1 the best, ties sharing their middle; where closeness to the ground truth is best, by its distance to the
ground truth of the item. An item is as good as the mean of these over its systems and columns. It is disputed as far
as the columns contradict one another: by the standard deviation of the percentiles over the columns, averaged over
its systems.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final, Literal

from anisora.harness.runfolder import ScoreRow
from anisora.leaderboards.pairing import rows_by_metric, values_of
from anisora.leaderboards.table import LeaderboardTable, TableColumn

__all__ = ["KINDS", "Choice", "Kind", "choose_items", "percentiles"]

Kind = Literal["best", "worst", "disputed"]
KINDS: Final[tuple[Kind, ...]] = ("best", "worst", "disputed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An item and why it is shown."""

    item: str
    kind: Kind
    quality: float
    """Mean percentile over systems and columns, 0 to 1."""
    dispute: float
    """Standard deviation over columns, mean over systems, 0 to 0.5."""


def percentiles(values: Mapping[tuple[str, str], float], *, higher_is_better: bool) -> dict[tuple[str, str], float]:
    """Return the percentile of each clip, 0 the worst and 1 the best; equal ones share their middle.

    Args:
        values: {(run, item): value}; a single clip is in the middle.
        higher_is_better: Which end is the best.

    Example:
        >>> percentiles({("a", "x"): 1.0, ("a", "y"): 3.0, ("b", "x"): 1.0}, higher_is_better=True)
        {('a', 'x'): 0.25, ('b', 'x'): 0.25, ('a', 'y'): 1.0}
    """
    ordered = sorted(values, key=lambda key: (values[key], key))
    found: dict[tuple[str, str], float] = {}
    start = 0
    while start < len(ordered):
        end = start
        while end + 1 < len(ordered) and values[ordered[end + 1]] == values[ordered[start]]:
            end += 1
        place = (start + end) / 2 / (len(ordered) - 1) if len(ordered) > 1 else 0.5
        found.update(dict.fromkeys(ordered[start : end + 1], place if higher_is_better else 1 - place))
        start = end + 1
    return found


def choose_items(
    table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]], *, count: int = 2
) -> tuple[Choice, ...]:
    """Choose the items that a report shows.

    Only items that at least half of the generated systems have a score for are chosen, each once: as the best first,
    then as the worst, then as disputed. Of equal items the first by id counts.

    Args:
        table: The systems and the columns.
        scores: {run id: its rows}.
        count: How many of each kind.
    """
    runs = [row.run_id for row in table.rows if not row.reference]
    placed = _placed(table, scores, runs)
    items = sorted({item for _, item in placed})
    of_item = {item: [placed[run, item] for run in runs if (run, item) in placed] for item in items}
    shown = [item for item in items if 2 * len(of_item[item]) >= len(runs)]
    quality = {item: fmean(fmean(places) for places in of_item[item]) for item in shown}
    dispute = {item: fmean(pstdev(places) for places in of_item[item]) for item in shown}
    orders: dict[Kind, list[str]] = {
        "best": sorted(shown, key=lambda item: (-quality[item], item)),
        "worst": sorted(shown, key=lambda item: (quality[item], item)),
        "disputed": sorted(shown, key=lambda item: (-dispute[item], item)),
    }
    chosen: dict[str, Choice] = {}
    for kind, order in orders.items():
        for item in [item for item in order if item not in chosen][:count]:
            chosen[item] = Choice(item=item, kind=kind, quality=quality[item], dispute=dispute[item])
    return tuple(chosen.values())


def _placed(
    table: LeaderboardTable, scores: Mapping[str, Sequence[ScoreRow]], runs: Sequence[str]
) -> dict[tuple[str, str], list[float]]:
    """Return {(run, item): percentiles, one for each column that has one}."""
    truth = next((row.run_id for row in table.rows if row.reference), None)
    by_run = {run: rows_by_metric(scores[run]) for run in ([*runs, truth] if truth else runs)}
    placed: dict[tuple[str, str], list[float]] = {}
    for column in table.columns:
        true = values_of(by_run[truth].get(column.metric, [])) if truth else {}
        values = {
            (run, item): badness
            for run in runs
            for item, value in values_of(by_run[run].get(column.metric, [])).items()
            if (badness := _badness(column, value, true.get(item))) is not None
        }
        for key, place in percentiles(values, higher_is_better=False).items():
            placed.setdefault(key, []).append(place)
    return placed


def _badness(column: TableColumn, value: float, true: float | None) -> float | None:
    if column.direction == "reference":
        return None if true is None else abs(value - true)
    if column.direction is None or not math.isfinite(value):
        return None
    return -value if column.direction == "higher" else value
