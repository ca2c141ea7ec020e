"""What the command line prints of finished runs: one block a run, and the paired comparison where there are several."""

from collections.abc import Sequence
from pathlib import Path

from anisora.harness.record import MetricResult, RunRecord
from anisora.harness.runfolder import RunFolder
from anisora.leaderboards.compare import compare
from anisora.leaderboards.published.systems import published_rows_of
from anisora.leaderboards.render import render_comparison

__all__ = ["present_runs"]

_ARROWS = {"higher": "↑", "lower": "↓", "reference": "→"}


def present_runs(records: Sequence[RunRecord], folders: Sequence[Path]) -> str:
    """Describe runs in natural units; the first is compared with each of the others, item by item.

    Args:
        records: Finished runs.
        folders: Where they lie.
    """
    blocks = [_block(record, folder) for record, folder in zip(records, folders, strict=True)]
    if len(records) > 1:
        sides = [(record, RunFolder(folder).read_scores()) for record, folder in zip(records, folders, strict=True)]
        blocks += [render_comparison(compare(sides[0], other)) for other in sides[1:]]
    return "\n\n".join(block.rstrip("\n") for block in blocks)


def _block(record: RunRecord, folder: Path) -> str:
    untrained = "  UNTRAINED" if record.untrained else ""
    lines = [f"{record.spec.model} on {record.suite_key}: {record.items} items{untrained}"]
    rows = [_row(result, record.items) for result in record.results]
    if rows:
        widths = [max(len(row[place]) for row in rows) for place in range(4)]
        lines += [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
    lines += [f"  {told}" for told in published_rows_of(record)]
    notes = sorted({result.interval_note for result in record.results if result.interval_note})
    lines += [f"  no interval: {note}" for note in notes]
    lines += [f"  left out: {metric} ({reason})" for metric, reason in sorted(record.excluded.items())]
    if record.missing:
        lines.append(f"  missing: {len(record.missing)} clips, the first is {record.missing[0]}")
    if record.errors:
        lines.append(f"  errors: {record.errors}, see {folder / 'errors.jsonl'}")
    work = record.counters
    lines.append(
        f"  {work.decodes} decodes, {work.frames} frames, {work.shared_windows} windows shared, "
        f"{work.cache_hits} features from the cache"
    )
    lines.append(f"  {folder}")
    return "\n".join(lines)


def _row(result: MetricResult, items: int) -> tuple[str, str, str, str]:
    value = "-" if result.value is None else f"{result.value:.6g}"
    interval = ""
    if result.low is not None and result.high is not None:
        interval = f"[{result.low:.6g}, {result.high:.6g}]"
    coverage = f"{result.scored} of {items} scored"
    if result.errors:
        coverage += f", {result.errors} errors"
    return f"{result.metric} {_ARROWS[result.direction]}", value, interval, coverage
