"""What trackers keep of a training: the numbers of each step, and when the step was done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["STEP", "StepNumbers", "numbers_of_steps"]

STEP: Final = "step"
_SECONDS: Final = "seconds"


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """Of one step."""

    step: int
    """From 1."""
    elapsed_s: float
    """Seconds of all steps up to it: pauses between two sittings do not count."""
    numbers: Mapping[str, float]
    """All numbers of the log's line, ``step`` among them."""


def numbers_of_steps(lines: Sequence[Mapping[str, Any]]) -> Iterator[StepNumbers]:
    """Yield the numbers of a training's log, step by step; what is no number is left out.

    Example:
        >>> [(each.step, dict(each.numbers)) for each in numbers_of_steps([{"step": 1, "loss": 0.5, "note": "a"}])]
        [(1, {'step': 1.0, 'loss': 0.5})]
    """
    elapsed = 0.0
    for line in lines:
        numbers = {
            name: float(value)
            for name, value in line.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        elapsed += numbers.get(_SECONDS, 0.0)
        yield StepNumbers(int(line[STEP]), elapsed, numbers)
