"""Systems that no other beats in every column."""

import math
from collections.abc import Mapping
from typing import Literal

from anisora.harness.errors import MetricError

__all__ = ["Direction", "pareto_set"]

Direction = Literal["higher", "lower"]


def pareto_set(table: Mapping[str, Mapping[str, float]], directions: Mapping[str, Direction]) -> tuple[str, ...]:
    """Return the systems for which no other is at least as good everywhere and better somewhere.

    Args:
        table: {system: {column: finite value}}.
        directions: {column: which values are better}; at least one column.

    Returns:
        In the order of the table. Systems that are equal everywhere are all in it or all out.

    Raises:
        MetricError: No column, a direction that is none, or a system without a finite value of a column.

    Example:
        >>> values = {"a": {"motion": 5, "error": 2}, "b": {"motion": 3, "error": 1}, "c": {"motion": 3, "error": 2}}
        >>> pareto_set(values, {"motion": "higher", "error": "lower"})
        ('a', 'b')
    """
    if not directions:
        raise MetricError("`directions` is empty; expected at least one column.")
    for column, direction in directions.items():
        if direction not in ("higher", "lower"):
            raise MetricError(f"The direction of {column!r} got {direction!r}; expected 'higher' or 'lower'.")
    goodness = {}
    for name, values in table.items():
        wrong = [column for column in directions if not math.isfinite(values.get(column, math.nan))]
        if wrong:
            raise MetricError(f"System {name!r} has no finite value of {wrong}; expected one of every column.")
        goodness[name] = [
            values[column] if direction == "higher" else -values[column] for column, direction in directions.items()
        ]
    return tuple(
        name for name, mine in goodness.items() if not any(_beats(theirs, mine) for theirs in goodness.values())
    )


def _beats(one: list[float], other: list[float]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
