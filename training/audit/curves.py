"""Curves over the steps of a training, as lines that a page draws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anisora.training.audit.alarms import KL
from anisora.training.audit.live import Audit

__all__ = ["HEIGHT", "WIDTH", "Curve", "log_curves", "signal_curves"]

WIDTH: Final = 260
HEIGHT: Final = 90
_MOST_POINTS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line in a box of WIDTH x HEIGHT pixels, y downwards."""

    name: str
    title: str
    line: str
    """``x,y x,y ...`` of an SVG polyline."""
    band: str
    """The interval around it, as a polygon; empty where there is none."""
    zero: float | None
    """y of no change; None where that is not in the box."""
    bound: float | None
    """y of the smallest change that counts, in the bad direction."""
    low: float
    high: float
    """Values at the lower and upper edge."""
    last: float
    is_alarm: bool
    steps: tuple[int, int]
    """First and last step."""


def signal_curves(audit: Audit) -> list[Curve]:
    """Return the change of each signal over the looks, beginning with 0 at step 0."""
    raised = {alarm.signal for alarm in audit.alarms}
    curves = []
    for name, signal in audit.signals.items():
        points = [(0, 0.0, 0.0, 0.0)] if audit.looks[0].step > 0 else []
        for look in audit.looks:
            found = look.findings[name]
            if found.change is not None:
                low, high = (found.change if end is None else end for end in (found.low, found.high))
                points.append((look.step, found.change, low, high))
        if points[-1:] and (len(points) > 1 or points[0][0] == audit.looks[0].step):
            bound = -signal.least if signal.bad == "down" else signal.least
            curves.append(_curve(name, signal.title, points, bound=bound, is_alarm=name in raised))
    return curves


def log_curves(log: Iterable[Mapping[str, Any]]) -> list[Curve]:
    """Return the curves of what the log of a training has: means of its rewards, and ``kl``."""
    found: dict[str, list[tuple[int, float, float, float]]] = {}
    for line in log:
        for name, value in line.items():
            is_told = name == KL or (name.startswith("reward/") and name.endswith("/mean"))
            if is_told and isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], float(value), float(value), float(value)))
    return [
        _curve(name, name, points[:: -(-len(points) // _MOST_POINTS)], bound=None, is_alarm=False)
        for name, points in sorted(found.items())
    ]


def _curve(
    name: str,
    title: str,
    points: Sequence[tuple[int, float, float, float]],
    *,
    bound: float | None,
    is_alarm: bool,
) -> Curve:
    """Place points (step, value, low, high) in a box that holds them, and the bound."""
    ends = [end for _, *values in points for end in values] + ([] if bound is None else [bound, 0.0])
    low, high = min(ends), max(ends)
    room = (high - low) * 0.05 or 1.0
    low, high = low - room, high + room
    first, last = points[0][0], points[-1][0]

    def across(step: int) -> float:
        return round(WIDTH * (step - first) / (last - first), 1) if last > first else WIDTH / 2

    def down(value: float) -> float:
        return round(HEIGHT * (high - value) / (high - low), 1)

    around = [(step, top) for step, _, _, top in points] + [(step, bottom) for step, _, bottom, _ in reversed(points)]
    return Curve(
        name=name,
        title=title,
        line=" ".join(f"{across(step)},{down(value)}" for step, value, _, _ in points),
        band=" ".join(f"{across(step)},{down(value)}" for step, value in around) if bound is not None else "",
        zero=down(0.0) if low <= 0 <= high else None,
        bound=None if bound is None else down(bound),
        low=low,
        high=high,
        last=points[-1][1],
        is_alarm=is_alarm,
        steps=(first, last),
    )
