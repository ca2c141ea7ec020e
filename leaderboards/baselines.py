"""Degenerate baselines of a suite: what no model made, and what a table should not reward.

A frozen clip or a slow pan over the first frame costs nothing. Where a model's column is not above theirs, the column
says little about the model.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from anisora.harness.errors import AnisoraError
from anisora.harness.record import RunRecord
from anisora.harness.registry import Spec
from anisora.harness.stages.run import run
from anisora.harness.stages.session import RunOptions
from anisora.leaderboards.store import Leaderboard

__all__ = ["BASELINES", "add_baselines", "baseline_runs", "is_baseline"]

BASELINES: Final[tuple[str, ...]] = (
    "damage/freeze",
    "damage/cross-fade",
    "damage/slow-pan",
    "damage/shuffle",
    "damage/flow-warp",
)
"""Models at severity 1: their clips follow from the first frame, or are those of the ground truth in another order."""


def is_baseline(record: RunRecord) -> bool:
    """Tell whether a run is one of BASELINES at severity 1, over all items of its suite."""
    spec = Spec.parse(record.spec.model_spec)
    whole = record.spec.limit is None and not record.spec.labels and record.spec.subset is None
    return whole and spec.name in BASELINES and spec.args.get("severity", 1) == 1


def add_baselines(
    board: Leaderboard,
    suite_key: str,
    metrics: Sequence[str],
    db: Path,
    options: RunOptions,
    *,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Run those baselines that the leaderboard lacks, under the suite as its newest run names it.

    A baseline counts as there if one of its runs has all metrics. Clips are kept lossless: the best of its kind.

    Args:
        board: Where they go.
        suite_key: The suite.
        metrics: What they are scored by; everything that some run of the suite has, when empty.
        db: The file of the leaderboard.
        options: How to work; ``db`` is set here.
        told: Is given one line per baseline that is run.

    Returns:
        {baseline: why it cannot be run}, such as for want of a ground truth.
    """
    withdrawn = _withdrawn(board)
    records = [record for record in board.runs(suite_key) if record.run_id not in withdrawn]
    wanted = metrics or sorted({result.metric for record in records for result in record.results})
    newest = max(records, key=lambda record: (record.finished, record.run_id))
    source = newest.spec.suite_source or newest.spec.suite
    absent = {}
    for model in BASELINES:
        if any(_has(record, model, wanted) for record in records):
            continue
        try:
            told(f"{model}: scoring")
            run(
                source,
                f"{model}:severity=1",
                metrics=wanted,
                seeds=newest.spec.seeds,
                decode=newest.spec.decode,
                allow_missing=True,
                options=replace(options, db=db),
            )
        except AnisoraError as error:
            absent[model] = str(error)
    return absent


def baseline_runs(board: Leaderboard, suite_key: str) -> list[str]:
    """Return the newest run of each baseline that neither failed nor was withdrawn, in the order of BASELINES."""
    newest: dict[str, RunRecord] = {}
    withdrawn = _withdrawn(board)
    for record in board.runs(suite_key):
        if record.status != "failed" and is_baseline(record) and record.run_id not in withdrawn:
            name = Spec.parse(record.spec.model_spec).name
            newest[name] = max(newest.get(name, record), record, key=lambda found: (len(found.results), found.finished))
    return [newest[model].run_id for model in BASELINES if model in newest]


def _withdrawn(board: Leaderboard) -> set[str]:
    return {run_id for run_id, known in board.submissions().items() if known.withdrawn is not None}


def _has(record: RunRecord, model: str, metrics: Sequence[str]) -> bool:
    scored = {result.metric for result in record.results}
    spec = Spec.parse(record.spec.model_spec)
    return record.status != "failed" and is_baseline(record) and spec.name == model and set(metrics) <= scored
