"""Which runs may share a table: those whose protocols agree in everything that is shown."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.record import RunRecord, canonical_json

__all__ = [
    "DAGGERS",
    "REFERENCE_EXEMPT",
    "FieldDifference",
    "check_comparable",
    "dagger",
    "field_differences",
    "reference_differences",
    "run_label",
    "shortened",
]

REFERENCE_EXEMPT: Final = frozenset({"encoder", "prompt_rewriting", "samples_per_item", "seeds", "settings"})
"""Protocol fields in which ground truth may differ: nobody generated or encoded it."""

DAGGERS: Final = ("†", "‡", "§", "¶", "‖")

_LONGEST_VALUE: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDifference:
    """A protocol field in which runs differ."""

    field: str
    """``name`` of the run, or ``metric.name``."""
    groups: tuple[tuple[Any, tuple[RunRecord, ...]], ...]
    """(value, runs that have it); the value of most generated runs first."""

    @property
    def usual(self) -> Any:  # noqa: ANN401 - any JSON value
        """The value of most runs."""
        return self.groups[0][0]

    def differs(self, record: RunRecord) -> bool:
        """Tell whether a run has another value than most."""
        return any(record.run_id == other.run_id for _, records in self.groups[1:] for other in records)


def field_differences(
    records: Sequence[RunRecord], metrics: Collection[str], apart: Collection[str] = ()
) -> list[FieldDifference]:
    """Return the fields in which runs differ, sorted by name.

    Args:
        records: The runs that are to share a table.
        metrics: The metrics shown. Fields of others, and of metrics that a run does not have, do not matter.
        apart: Run ids that stand apart as ground truth does, and may differ in what it may.
    """
    found = []
    flat = {record.run_id: _flat(record, metrics) for record in records}
    for name in sorted({name for fields in flat.values() for name in fields}):
        metric = _metric_of(name, metrics)
        groups: dict[str, tuple[Any, list[RunRecord]]] = {}
        for record in records:
            exempt = name in REFERENCE_EXEMPT and (record.reference or record.run_id in apart)
            if exempt or (metric and metric not in record.protocol.metrics):
                continue
            value = flat[record.run_id].get(name)
            groups.setdefault(canonical_json(value), (value, []))[1].append(record)
        if len(groups) > 1:
            # The sort is stable: among equally frequent values that of the first run counts as the usual one.
            ordered = sorted(groups.values(), key=lambda group: -sum(not record.reference for record in group[1]))
            found.append(FieldDifference(field=name, groups=tuple((value, tuple(runs)) for value, runs in ordered)))
    return found


def reference_differences(reference: RunRecord, records: Sequence[RunRecord]) -> list[tuple[str, Any, Any]]:
    """Return (field, of ground truth, of most generated runs) for exempt fields that differ."""
    generated = [
        record.protocol.fields for record in records if not record.reference and record.run_id != reference.run_id
    ]
    found = []
    for name in sorted(REFERENCE_EXEMPT):
        values = {canonical_json(fields.get(name)): fields.get(name) for fields in generated}
        counts = Counter(canonical_json(fields.get(name)) for fields in generated)
        if counts:
            usual = values[counts.most_common(1)[0][0]]
            mine = reference.protocol.fields.get(name)
            if mine != usual:
                found.append((name, mine, usual))
    return found


def check_comparable(
    records: Sequence[RunRecord],
    metrics: Collection[str],
    allow_diff: Collection[str] = (),
    apart: Collection[str] = (),
) -> list[FieldDifference]:
    """Return the allowed differences between runs.

    Args:
        records: The runs that are to share a table.
        metrics: The metrics shown.
        allow_diff: Fields that may differ.
        apart: As in ``field_differences``.

    Raises:
        RecordError: The runs are of several suites, or differ in a field that is not allowed to.
        UnknownNameError: No run has an allowed field.
    """
    suites = sorted({record.suite_key for record in records})
    if len(suites) > 1:
        raise RecordError(
            f"Runs of the suites {', '.join(f'`{key}`' for key in suites)} cannot share a table; name one."
        )
    known = {name for record in records for name in _flat(record, record.protocol.metrics)}
    for name in allow_diff:
        if name not in known:
            raise UnknownNameError("protocol field", name, known, f"The runs have: {', '.join(sorted(known))}.")
    differences = field_differences(records, metrics, apart)
    refused = [difference for difference in differences if difference.field not in allow_diff]
    if refused:
        raise RecordError(_refusal(refused))
    return differences


def _refusal(refused: Sequence[FieldDifference]) -> str:
    by_runs: dict[tuple[str, str], list[str]] = {}
    for difference in refused:
        for (one, ones), (other, others) in pairwise(difference.groups):
            left, right = shortened(one, other)
            runs = (run_label(ones[0]), run_label(others[0]))
            by_runs.setdefault(runs, []).append(f"`{difference.field}` ({left} vs {right})")
    told = "; ".join(f"{left} and {right} differ in {', '.join(fields)}" for (left, right), fields in by_runs.items())
    options = " ".join(f"--allow-diff {difference.field}" for difference in refused)
    marked = "a dagger" if len(refused) == 1 else "daggers"
    return f"Runs {told}; pass {options} to show them with {marked}, or leave some out with --models."


def run_label(record: RunRecord) -> str:
    """Name a run in a message: its model and its id."""
    return f"`{record.spec.model}` ({record.run_id})"


def shortened(left: object, right: object) -> tuple[str, str]:
    """Write two values as short texts that still show where they differ."""
    texts = (repr(left), repr(right))
    start = next((at for at, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    # Keep a little of what is equal before the difference, so that it can be found.
    start = max(0, start - 12) if max(map(len, texts)) > _LONGEST_VALUE else 0
    return _cut(texts[0], start), _cut(texts[1], start)


def _cut(text: str, start: int) -> str:
    if len(text) <= _LONGEST_VALUE:
        return text
    part = text[start : start + _LONGEST_VALUE]
    return f"{'…' if start else ''}{part}{'…' if start + _LONGEST_VALUE < len(text) else ''}"


def dagger(index: int) -> str:
    """Return the mark of the n-th differing field, counted from 0; each is different."""
    return DAGGERS[index % len(DAGGERS)] * (index // len(DAGGERS) + 1)


def _flat(record: RunRecord, metrics: Iterable[str]) -> dict[str, Any]:
    fields: dict[str, Any] = dict(record.protocol.fields)
    for metric in metrics:
        for name, value in record.protocol.metrics.get(metric, {}).items():
            fields[f"{metric}.{name}"] = value
    return fields


def _metric_of(field: str, metrics: Iterable[str]) -> str | None:
    return next((metric for metric in metrics if field.startswith(f"{metric}.")), None)
