"""Whether clips differ from the base's by more than chance, and by enough to matter."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from anisora.harness.statistics.cluster_variance import two_sided_p
from anisora.harness.statistics.clustered_mean import Estimate, clustered_mean
from anisora.harness.statistics.multiplicity import holm
from anisora.training.audit.measures import Values
from anisora.training.audit.signals import LEVEL, Signal

__all__ = ["Finding", "PairOfClips", "findings"]

INTERVAL: Final = 0.95
_SHOWN: Final = 3
"""Pairs of clips that stand for a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOfClips:
    """A clip of the base and that of the trained model with the same item and seed."""

    item: str
    seed: int
    base: float
    trained: float
    change: float
    """In the unit of the signal's change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one signal at one step. What could not be computed is None, and ``note`` says why."""

    signal: str
    base: float | None
    """Mean over the clips that both have."""
    trained: float | None
    change: float | None
    """Mean of the changes, in the unit of the signal."""
    low: float | None
    """End of the 95 % interval of the change, by clusters of items."""
    high: float | None
    p_value: float | None
    """Two-sided, of no change, corrected (Holm) for all signals."""
    least: float
    items: int
    clips: int
    floor: float | None
    """Lower end of the 95 % interval of the base's mean."""
    is_alarm: bool
    note: str
    worst: tuple[PairOfClips, ...]
    """The pairs that changed most in the bad direction."""

    @property
    def direction(self) -> Literal["rose", "fell"]:
        """Which way it went."""
        return "rose" if self.change is not None and self.change > 0 else "fell"


def findings(
    signals: Mapping[str, Signal], base: Values, trained: Values, *, level: float = LEVEL
) -> dict[str, Finding]:
    """Compare clips with the base's, signal by signal.

    Clips are paired by item and seed. The mean change has the interval and the p value of ``clustered_mean`` with items
    as clusters; p values are corrected by Holm for the number of signals, so that the chance that any of them calls on
    clips without a change is at most ``level``. An alarm is a corrected p below ``level``, in the bad direction, of a
    change of at least the signal's smallest.

    Args:
        signals: {name: signal}.
        base: Values of the model before the training.
        trained: Those at a step of it.
        level: Family-wise.
    """
    changes = {name: _changes(signal, base.get(name, {}), trained.get(name, {})) for name, signal in signals.items()}
    estimates = {name: _mean([pair.change for pair in pairs], pairs) for name, pairs in changes.items()}
    corrected = dict(zip(signals, holm([_p(estimates[name]) for name in signals]), strict=True))
    return {
        name: _finding(signal, changes[name], estimates[name], corrected[name], level)
        for name, signal in signals.items()
    }


def _changes(
    signal: Signal, base: Mapping[tuple[str, int], float], trained: Mapping[tuple[str, int], float]
) -> list[PairOfClips]:
    scale = statistics.stdev(base.values()) if signal.change == "deviations" and len(base) > 1 else 1.0
    pairs = []
    for item, seed in sorted(base.keys() & trained.keys()):
        before, after = base[item, seed], trained[item, seed]
        change = after - before
        if signal.change == "relative":
            total = abs(after) + abs(before)
            change = 2 * change / total if total else 0.0
        elif signal.change == "deviations":
            if scale == 0:  # no difference is large or small then
                return []
            change /= scale
        pairs.append(PairOfClips(item=item, seed=seed, base=before, trained=after, change=change))
    return pairs


def _mean(values: list[float], pairs: list[PairOfClips]) -> Estimate:
    return clustered_mean(values, [pair.item for pair in pairs], level=INTERVAL)


def _p(estimate: Estimate) -> float | None:
    if estimate.value is None or estimate.standard_error is None or estimate.degrees is None:
        return None
    return two_sided_p(estimate.value, estimate.standard_error, estimate.degrees)


def _note(signal: Signal, pairs: list[PairOfClips], estimate: Estimate) -> str:
    if pairs or signal.change != "deviations":
        return estimate.note
    return "no value on these clips, or all of the base's are equal"


def _finding(
    signal: Signal, pairs: list[PairOfClips], estimate: Estimate, p_value: float | None, level: float
) -> Finding:
    change = estimate.value
    is_bad = change is not None and (signal.bad == "either" or (change > 0) == (signal.bad == "up"))
    is_large = change is not None and abs(change) >= signal.least
    floor = _mean([pair.base for pair in pairs], pairs)
    sign = 1 if change is not None and change > 0 else -1
    if signal.bad != "either":
        sign = 1 if signal.bad == "up" else -1
    return Finding(
        signal=signal.name,
        base=floor.value,
        trained=statistics.fmean(pair.trained for pair in pairs) if pairs else None,
        change=change,
        low=estimate.low,
        high=estimate.high,
        p_value=p_value,
        least=signal.least,
        items=estimate.clusters,
        clips=estimate.count,
        floor=floor.low,
        is_alarm=is_bad and is_large and p_value is not None and p_value < level,
        note=_note(signal, pairs, estimate),
        worst=tuple(sorted(pairs, key=lambda pair: -sign * pair.change)[:_SHOWN]),
    )
