"""What tuning did over seeds: each training gives one change of a metric, and all signs of these are flipped."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.runfolder import write_atomically
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS, clustered_mean
from anisora.harness.statistics.sign_flips import sign_flip_test
from anisora.training.learn.tuning import HELD_OUT, METHODS, MOTION, REWARD, Method, Tuned

__all__ = [
    "SUMMARY",
    "Change",
    "MotionFloor",
    "Summary",
    "change_text",
    "role_of",
    "summarise",
    "summary_text",
    "write_summary",
]

SUMMARY: Final = "learn.json"
_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of one metric by one method, over seeds."""

    method: Method
    metric: str
    before: float
    after: float
    """Means over seeds and clips."""
    change: float
    low: float | None
    high: float | None
    """95 % interval of the change over seeds; None below six."""
    in_deviations: float | None
    """The change in standard deviations of the base's clips; None where they are all alike."""
    risen: int
    """Seeds whose change is above 0."""
    seeds: int
    p_value: float | None
    """Two-sided, of all flips of the seeds' signs; None below two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionFloor:
    """Whether motion stayed."""

    method: Method
    base: float
    floor: float | None
    """Lower end of the 95 % interval of the base's motion over items; None below six."""
    tuned: float
    """Mean over seeds."""
    lowest: float
    """Of one seed."""

    @property
    def holds(self) -> bool | None:
        """Whether the mean of each seed is at the floor or above; None where there is no floor."""
        return None if self.floor is None else self.lowest >= self.floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Of all trainings."""

    changes: tuple[Change, ...]
    motion: tuple[MotionFloor, ...]
    seconds: Mapping[str, float]
    """{method: of the longest training, with its audit and scores}."""
    alarms: Mapping[str, tuple[str, ...]]
    """{method-seed: signals}, of those that have some."""


def summarise(tuned: Sequence[Tuned]) -> Summary:
    """Return what all trainings did.

    Args:
        tuned: One or more, each method with other seeds.
    """
    by_method = {method: [each for each in tuned if each.method == method] for method in METHODS}
    found = {method: runs for method, runs in by_method.items() if runs}
    return Summary(
        changes=tuple(_change(method, metric, runs) for method, runs in found.items() for metric in _order(runs[0])),
        motion=tuple(_motion(method, runs) for method, runs in found.items()),
        seconds={method: max(each.seconds for each in runs) for method, runs in found.items()},
        alarms={f"{each.method}-{each.seed}": each.alarms for each in tuned if each.alarms},
    )


def _order(tuned: Tuned) -> list[str]:
    """Return what was optimised, what was held out, and then the others."""
    first = [REWARD, HELD_OUT, MOTION]
    return [*first, *(name for name in tuned.before if name not in first)]


def _change(method: Method, metric: str, runs: Sequence[Tuned]) -> Change:
    seeds = [str(each.seed) for each in runs]
    changes = {seed: each.change(metric) for seed, each in zip(seeds, runs, strict=True)}
    estimate = clustered_mean(list(changes.values()), seeds, level=_LEVEL) if len(runs) >= MIN_CLUSTERS else None
    p_value = None
    if len(runs) > 1:
        flips = sign_flip_test(changes, dict.fromkeys(seeds, 0.0), dict(zip(seeds, seeds, strict=True)))
        p_value = flips.tests[0].p_value
    before, after = (_mean([_mean(values[metric]) for values in sides]) for sides in _sides(runs))
    mean, base = _mean(list(changes.values())), runs[0].before[metric]
    deviation = _deviation(base)
    return Change(
        method=method,
        metric=metric,
        before=before,
        after=after,
        change=mean,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        in_deviations=mean / deviation if deviation else None,
        risen=sum(value > 0 for value in changes.values()),
        seeds=len(runs),
        p_value=p_value,
    )


def _sides(
    runs: Sequence[Tuned],
) -> tuple[list[Mapping[str, tuple[float, ...]]], list[Mapping[str, tuple[float, ...]]]]:
    return [each.before for each in runs], [each.after for each in runs]


def _motion(method: Method, runs: Sequence[Tuned]) -> MotionFloor:
    first = runs[0]
    items = [item for item, _ in first.clips]
    base = first.before[MOTION]
    floor = clustered_mean(base, items, level=_LEVEL).low if len(set(items)) >= MIN_CLUSTERS else None
    after = [_mean(each.after[MOTION]) for each in runs]
    return MotionFloor(method=method, base=_mean(base), floor=floor, tuned=_mean(after), lowest=min(after))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def summary_data(summary: Summary) -> dict[str, Any]:
    """Return plain data."""
    return {
        "reward": REWARD,
        "held_out": HELD_OUT,
        "changes": [asdict(each) for each in summary.changes],
        "motion": [{**asdict(each), "holds": each.holds} for each in summary.motion],
        "seconds": dict(summary.seconds),
        "alarms": {name: list(signals) for name, signals in summary.alarms.items()},
        "untrained": True,
    }


def write_summary(summary: Summary, out: Path) -> Path:
    """Write ``learn.json`` and return its path."""
    path = out / SUMMARY
    with write_atomically(path, "record") as file:
        file.write((json.dumps(summary_data(summary), indent=1) + "\n").encode())
    return path


def summary_text(summary: Summary) -> str:
    """Return a table of all changes, and what became of motion."""
    rows = [
        [
            each.method.upper(),
            role_of(each.metric),
            f"{each.before:.5g}",
            f"{each.after:.5g}",
            change_text(each),
            f"{each.risen} of {each.seeds}",
            "-" if each.p_value is None else f"{each.p_value:.2g}",
        ]
        for each in summary.changes
    ]
    rows.insert(0, ["", "", "base", "tuned", "change", "risen", "p"])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for each in summary.motion:
        state = {True: "holds", False: "DOES NOT HOLD", None: "not judged below 6 items"}[each.holds]
        floor = "-" if each.floor is None else f"{each.floor:.4g}"
        lines.append(
            f"{each.method.upper()}: motion {each.base:.4g} before, {each.tuned:.4g} after (lowest seed "
            f"{each.lowest:.4g}); the base's lower bound {floor} {state}."
        )
    lines += [f"{name.upper()}: at most {seconds:.0f} s a seed." for name, seconds in summary.seconds.items()]
    lines += [f"ALARM {name}: {', '.join(signals)}" for name, signals in summary.alarms.items()] or ["No alarm."]
    return "\n".join(lines) + "\n"


def role_of(metric: str) -> str:
    """Return a metric's name with what it is here."""
    return f"{metric} (held out)" if metric == HELD_OUT else "reward (optimised)" if metric == REWARD else metric


def change_text(change: Change) -> str:
    """Write a change with its interval and what it is in standard deviations."""
    interval = "" if change.low is None or change.high is None else f" [{change.low:+.3g}, {change.high:+.3g}]"
    deviations = "" if change.in_deviations is None else f", {change.in_deviations:+.2f} sd"
    return f"{change.change:+.3g}{interval}{deviations}"
