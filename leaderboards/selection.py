"""Which of the stored runs stand in a table: finished, trained, one for each model and protocol."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.record import RunRecord
from anisora.leaderboards.comparability import field_differences, run_label

__all__ = ["Selection", "check_trained", "select_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The runs to show, and how many were left out and why."""

    shown: tuple[RunRecord, ...]
    superseded: tuple[tuple[str, int], ...]
    """(model, number of its other runs under the same protocol)."""
    untrained: int
    failed: int
    partial: int
    """Runs over a part of the items, left out where runs over all of them are shown."""


def select_runs(
    records: Sequence[RunRecord],
    metrics: Collection[str],
    *,
    models: Sequence[str] = (),
    show_untrained: bool = False,
) -> Selection:
    """Choose the runs of a table.

    Args:
        records: Runs of one suite.
        metrics: The metrics shown: of two runs of a model the one with more of them counts, then the newer.
        models: Model names or run ids, in the order wanted; all when left out.
        show_untrained: Take the runs of random weights, and no others but ground truth.

    Raises:
        RecordError: Nothing is left, trained and untrained runs would meet, or there are two ground truths.
        UnknownNameError: No run has a name of ``models``.
    """
    asked = _named(records, models)
    finished = [record for record in asked if record.status != "failed"]
    if show_untrained:
        check_trained(finished)
        candidates = finished
    else:
        candidates = [record for record in finished if record.untrained is None]
    compared = candidates if models else _over_all_items(candidates)
    shown, superseded = _newest(compared, metrics)
    kept = {record.run_id for record in shown}
    selection = Selection(
        shown=tuple(record for record in asked if record.run_id in kept),
        superseded=superseded,
        untrained=len(finished) - len(candidates),
        failed=len(asked) - len(finished),
        partial=len(candidates) - len(compared),
    )
    if not selection.shown:
        raise RecordError(_nothing(selection))
    references = [record for record in selection.shown if record.reference]
    if len({record.spec.model for record in references}) > 1:
        raise RecordError(
            f"Runs {' and '.join(map(run_label, references))} are both ground truth; a table has one. "
            "Choose runs with --models."
        )
    return selection


def _named(records: Sequence[RunRecord], models: Sequence[str]) -> list[RunRecord]:
    if not models:
        return list(records)
    found: dict[str, RunRecord] = {}
    for name in models:
        matches = [record for record in records if name in (record.run_id, record.spec.model)]
        if not matches:
            known = {record.spec.model for record in records}
            hint = f"The suite has runs of: {', '.join(sorted(known)) or 'no model'}."
            raise UnknownNameError("model or run", name, known | {record.run_id for record in records}, hint)
        found.update({record.run_id: record for record in matches})
    return list(found.values())


def _over_all_items(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Leave out runs over a part of a suite, unless there are no others; those asked for by name are not left out."""
    whole = [
        record
        for record in records
        if record.spec.limit is None and not record.spec.labels and record.spec.subset is None
    ]
    return whole or list(records)


def check_trained(records: Sequence[RunRecord]) -> None:
    """Refuse runs of random weights beside others; ground truth may stand beside either.

    Raises:
        RecordError: Some runs have random weights and some have not.
    """
    generated = [record for record in records if not record.reference]
    untrained = next((record for record in generated if record.untrained is not None), None)
    trained = next((record for record in generated if record.untrained is None), None)
    if untrained is not None and trained is not None:
        raise RecordError(
            f"Run {run_label(untrained)} has random weights ({untrained.untrained!r}) and "
            f"{run_label(trained)} has not; they never share a table. "
            "Choose runs of one kind."
        )


def _newest(
    records: Sequence[RunRecord], metrics: Collection[str]
) -> tuple[list[RunRecord], tuple[tuple[str, int], ...]]:
    """Keep one run for each model and protocol; what is not shown does not make two protocols."""

    def fullness(record: RunRecord) -> tuple[int, str, str]:
        cells = sum(result.value is not None and result.metric in metrics for result in record.results)
        return cells, record.finished, record.run_id

    kept: list[RunRecord] = []
    dropped: Counter[str] = Counter()
    for record in sorted(records, key=fullness, reverse=True):
        rivals = [
            other for other in kept if (other.spec.model, other.reference) == (record.spec.model, record.reference)
        ]
        if any(not field_differences([record, other], metrics) for other in rivals):
            dropped[record.spec.model] += 1
        else:
            kept.append(record)
    return kept, tuple(sorted(dropped.items()))


def _nothing(selection: Selection) -> str:
    if selection.untrained:
        return (
            f"All {selection.untrained} runs have random weights and are not shown; pass --show-untrained "
            "to see them among themselves."
        )
    if selection.failed:
        return f"All {selection.failed} runs failed; there is nothing to show. Run them again to finish them."
    return "There is no run to show; evaluate something first."
