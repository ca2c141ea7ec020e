"""The demo: a small suite, its ground truth and its damages, scored and told on one screen and in one report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.stages.plan import unavailable_metrics
from anisora.harness.stages.run import run
from anisora.harness.stages.session import RunOptions
from anisora.harness.suite import Suite, load_suite
from anisora.leaderboards.effects import EffectMatrix, effect_matrix
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.table import LeaderboardTable

__all__ = ["SUITE", "DemoResult", "run_demo"]

SUITE: Final = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo made."""

    suite: Suite
    records: tuple[RunRecord, ...]
    table: LeaderboardTable
    matrix: EffectMatrix
    absent: Mapping[str, str]
    """{column that could not be computed: why}"""
    notes: tuple[str, ...]
    """What the suite's data lack on this machine."""

    @property
    def decodes(self) -> int:
        """Video files decoded in this session; none when everything was kept from an earlier one."""
        return sum(record.counters.decodes for record in self.records)


def run_demo(
    out: Path, options: RunOptions, *, device: str = "auto", told: Callable[[str], None] = lambda _: None
) -> DemoResult:
    """Score ground truth and every system of the demo suite; what is there already is not done again.

    Columns whose packages are not installed are left out, and told.

    Args:
        out: Folder for the runs and the leaderboard.
        options: How to work; ``out`` and ``db`` are set here.
        device: Where networks run.
        told: Is given one line per system.
    """
    suite = load_suite(SUITE)
    absent = unavailable_metrics(suite.metrics)
    chosen = replace(options, out=out, db=out / "leaderboard.duckdb")
    reference = suite.reference or "ground-truth"
    records = []
    with DecoderPool(processes=2 * options.workers) as decoders:
        for spec in (reference, *suite.systems):
            wanted = [
                column.metric
                for column in suite.columns
                if column.metric not in absent and (spec == reference or not column.systems or spec in column.systems)
            ]
            work = replace(chosen, decoders=decoders)
            record = run(SUITE, spec, metrics=wanted, device=device, allow_missing=True, options=work)
            seconds = sum(record.timings.values())
            told(f"{spec}: {record.items} items, {record.counters.decodes} decodes, {seconds:.1f} s")
            records.append(record)
    board = Leaderboard.open(out / "leaderboard.duckdb")
    models = [record.run_id for record in records]
    columns = [column for column in suite.columns if column.metric not in absent]
    table = board.build_table(records[0].suite_key, columns, title=suite.title, models=models)
    matrix = effect_matrix(table, {row.run_id: board.scores(row.run_id) for row in table.rows}, suite.expected)
    assert matrix is not None, "the demo scores its ground truth"
    dataset = registry("datasets").create(suite.dataset_spec)
    return DemoResult(
        suite=suite,
        records=tuple(records),
        table=table,
        matrix=matrix,
        absent=absent,
        notes=tuple(getattr(dataset, "notes", ())),
    )
