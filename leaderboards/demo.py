"""The demo: a rendered suite, its ground truth and its damages, scored and told as one table."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from anisora.harness.record import RunRecord
from anisora.harness.stages.run import run
from anisora.harness.stages.session import RunOptions
from anisora.harness.suite import load_suite
from anisora.leaderboards.render import render
from anisora.leaderboards.store import Leaderboard

__all__ = ["DemoResult", "run_demo"]

SUITE = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo made."""

    records: tuple[RunRecord, ...]
    table: str
    """The leaderboard as text."""

    @property
    def decodes(self) -> int:
        """Video files decoded in this session; none when everything was kept from an earlier one."""
        return sum(record.counters.decodes for record in self.records)


def run_demo(out: Path, options: RunOptions, *, told: Callable[[str], None] = lambda _: None) -> DemoResult:
    """Score ground truth and every system of the demo suite; what is there already is not done again.

    Args:
        out: Folder for the runs and the leaderboard.
        options: How to work; ``out`` and ``db`` are set here.
        told: Is given one line per system.
    """
    suite = load_suite(SUITE)
    chosen = replace(options, out=out, db=out / "leaderboard.duckdb")
    records = []
    for spec in (suite.reference or "ground-truth", *suite.systems):
        record = run(SUITE, spec, options=chosen)
        told(f"{spec}: {record.items} items, {record.counters.decodes} decodes, {sum(record.timings.values()):.1f} s")
        records.append(record)
    board = Leaderboard.open(out / "leaderboard.duckdb")
    models = [record.run_id for record in records]
    table = board.build_table(records[0].suite_key, suite.columns, title=suite.title, models=models)
    return DemoResult(records=tuple(records), table=render(table))
