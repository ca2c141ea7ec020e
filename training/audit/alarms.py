"""Looks at a training, one after the other, and the alarms that they add up to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from anisora.training.audit.clips import AuditClip
from anisora.training.audit.decision import Finding, PairOfClips
from anisora.training.audit.signals import Signal

__all__ = ["KL", "Alarm", "Look", "alarms_of", "mean_kl"]

KL: Final = "kl"
_KL_STEPS: Final = 10
"""Steps over which ``kl`` is averaged: one step's is noisy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found at one step."""

    step: int
    findings: Mapping[str, Finding]
    kl: float | None
    """Mean of ``kl`` over the last steps; None where the log has none."""
    kl_limit: float | None
    evidence: Mapping[tuple[str, int], AuditClip]
    """{(item, seed): the trained model's clip}, of the pairs that alarms point at."""

    @property
    def raised(self) -> tuple[str, ...]:
        """Signals with an alarm at this step."""
        found = tuple(name for name, finding in self.findings.items() if finding.is_alarm)
        is_far = self.kl is not None and self.kl_limit is not None and self.kl > self.kl_limit
        return (*found, KL) if is_far else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A sign of a gamed reward."""

    signal: str
    title: str
    meaning: str
    direction: Literal["rose", "fell"]
    change: float
    """At ``step``, in the unit of the signal's change; for ``kl`` its value."""
    low: float | None
    high: float | None
    """Ends of its 95 % interval."""
    p_value: float | None
    """Corrected for all signals."""
    times: float
    """Size: how many times the smallest change that counts, or for ``kl`` its limit."""
    began: int
    """The first step of the looks in a row at which it held."""
    step: int
    """The last of them."""
    looks: int
    stands: bool
    """Whether it holds at the last look of all."""
    worst: tuple[PairOfClips, ...]
    """Evidence: the pairs of clips that changed most in the bad direction, at ``step``."""


def alarms_of(looks: Sequence[Look], signals: Mapping[str, Signal]) -> list[Alarm]:
    """Return the alarms of all looks, those that stand first and the largest first.

    One that went away and came again is told once, from where it came last.
    """
    found = []
    for name in dict.fromkeys(name for look in looks for name in look.raised):
        last = max(at for at, look in enumerate(looks) if name in look.raised)
        first = last
        while first and name in looks[first - 1].raised:
            first -= 1
        found.append(_alarm(name, looks[last], signals, began=looks[first].step, looks=last - first + 1, of=looks[-1]))
    return sorted(found, key=lambda alarm: (not alarm.stands, -alarm.times))


def _alarm(name: str, look: Look, signals: Mapping[str, Signal], *, began: int, looks: int, of: Look) -> Alarm:
    stands = look is of
    if name == KL:
        assert look.kl is not None
        assert look.kl_limit is not None
        return Alarm(
            signal=KL,
            title="KL",
            meaning="the policy is far from the base",
            direction="rose",
            change=look.kl,
            low=None,
            high=None,
            p_value=None,
            times=look.kl / look.kl_limit,
            began=began,
            step=look.step,
            looks=looks,
            stands=stands,
            worst=(),
        )
    finding, signal = look.findings[name], signals[name]
    assert finding.change is not None
    return Alarm(
        signal=name,
        title=signal.title,
        meaning=signal.meaning,
        direction=finding.direction,
        change=finding.change,
        low=finding.low,
        high=finding.high,
        p_value=finding.p_value,
        times=abs(finding.change) / signal.least,
        began=began,
        step=look.step,
        looks=looks,
        stands=stands,
        worst=finding.worst,
    )


def mean_kl(log: Iterable[Mapping[str, Any]], step: int) -> float | None:
    """Return the mean of ``kl`` over the last ten lines of a log up to a step; None where none has it."""
    found = [float(line[KL]) for line in log if line.get(KL) is not None and line["step"] <= step][-_KL_STEPS:]
    return sum(found) / len(found) if found else None
