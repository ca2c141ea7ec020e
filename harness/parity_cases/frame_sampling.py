"""Golden cases of kind ``c06_frame_sampling``: the index tables of the reference's frame samplers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anisora.harness.errors import DataError
from anisora.harness.media.reference_sampling import compute_table
from anisora.harness.parity import Comparison

__all__ = ["check"]


def check(folder: Path, case: dict[str, Any]) -> list[Comparison]:
    """Compute each table again and count the rows that differ; nothing but equality passes.

    Args:
        folder: Holds ``expected.json``: {rule: {total: indices}} or {rule: [{fps, total, requested_fps,
            indices}]}.
        case: Its ``rules`` name the tables that must be there.

    Raises:
        DataError: A rule has no table, or an empty one.
    """
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    comparisons = []
    for rule in dict.fromkeys((*case.get("rules", ()), *expected)):
        if not expected.get(rule):
            raise DataError(f"`{folder / 'expected.json'}` has no rows for the rule {rule!r}; restore the file.")
        comparisons.append(_compare(rule, _rows(compute_table(rule, expected[rule])), _rows(expected[rule])))
    return comparisons


def _rows(table: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON object or list
    return dict(table) if isinstance(table, Mapping) else {str(place): row for place, row in enumerate(table)}


def _compare(rule: str, ours: dict[str, Any], reference: dict[str, Any]) -> Comparison:
    differing = [key for key in reference if ours.get(key) != reference[key]]
    note = (
        f"row {differing[0]}: ours {ours.get(differing[0])!r}, reference {reference[differing[0]]!r}"
        if differing
        else ""
    )
    return Comparison(f"rows of {rule}", float(len(differing)), 0.0, passed=not differing, note=note[:300])
