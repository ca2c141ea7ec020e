"""What a reward said and took since training began, in constant memory."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from anisora.harness.protocols import RewardBatch
from anisora.reward.reward_inputs import as_numpy

__all__ = ["DimensionSummary", "RewardSummary", "RunningSummary"]

_LATENCIES: Final = 10_000
"""Calls whose seconds are kept: the newest."""
TOTAL: Final = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionSummary:
    """Of the videos that have a value; None where none has."""

    count: int
    mean: float | None
    std: float | None
    """Of the population."""
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSummary:
    """Over all calls."""

    calls: int
    videos: int
    invalid: int
    """Videos without a total of their own; they are in no mean."""
    seconds_p50: float | None
    """A call, over the newest ten thousand."""
    seconds_p95: float | None
    peak_bytes: int | None
    """The most of all calls."""
    dimensions: dict[str, DimensionSummary]
    """``total`` and the dimensions, raw."""

    @property
    def invalid_ratio(self) -> float:
        """Share of videos that are invalid."""
        return self.invalid / self.videos if self.videos else 0.0

    def as_numbers(self) -> dict[str, float]:
        """Return plain numbers for a tracker: ``reward/total_mean``, ``reward/seconds_p95`` and so on."""
        found: dict[str, float | None] = {
            "invalid_ratio": self.invalid_ratio,
            "seconds_p50": self.seconds_p50,
            "seconds_p95": self.seconds_p95,
            "peak_bytes": self.peak_bytes,
        }
        for name, each in self.dimensions.items():
            found |= {f"{name}_mean": each.mean, f"{name}_std": each.std, f"{name}_min": each.low}
            found[f"{name}_max"] = each.high
        return {f"reward/{name}": float(value) for name, value in found.items() if value is not None}


class _Moments:
    """Count, mean and spread of numbers that come in parts (Chan, Golub and LeVeque 1983)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
        if not values.size:
            return
        count, mean = self.count + values.size, float(values.mean())
        gap = mean - self.mean
        self.squares += float(((values - mean) ** 2).sum()) + gap**2 * self.count * values.size / count
        self.mean += gap * values.size / count
        self.count = count
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def summary(self) -> DimensionSummary:
        if not self.count:
            return DimensionSummary(count=0, mean=None, std=None, low=None, high=None)
        std = math.sqrt(self.squares / self.count)
        return DimensionSummary(count=self.count, mean=self.mean, std=std, low=self.low, high=self.high)


class RunningSummary:
    """Takes in batches, and tells what they have in common."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._seconds: deque[float] = deque(maxlen=_LATENCIES)
        self._calls = self._videos = self._invalid = 0
        self._peak: int | None = None
        self._moments: dict[str, _Moments] = {}

    def add(self, batch: RewardBatch) -> None:
        """Take in a batch, before any number was put in place of one that is not there."""
        valid = as_numpy(batch.valid)
        self._seconds.append(batch.seconds)
        self._calls += 1
        self._videos += len(valid)
        self._invalid += int((~valid).sum())
        if batch.peak_bytes is not None:
            self._peak = max(self._peak or 0, batch.peak_bytes)
        for name, values in {TOTAL: batch.total, **batch.dimensions}.items():
            numbers = as_numpy(values).astype(np.float64)
            self._moments.setdefault(name, _Moments()).add(numbers[np.isfinite(numbers)])

    def summary(self) -> RewardSummary:
        """Return what is known so far."""
        p50, p95 = np.percentile(list(self._seconds), [50, 95]) if self._seconds else (None, None)
        return RewardSummary(
            calls=self._calls,
            videos=self._videos,
            invalid=self._invalid,
            seconds_p50=None if p50 is None else float(p50),
            seconds_p95=None if p95 is None else float(p95),
            peak_bytes=self._peak,
            dimensions={name: moments.summary() for name, moments in self._moments.items()},
        )
