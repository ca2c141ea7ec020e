"""Rewards on the scale that GAPO takes, from 0 to the highest score: always rising, so that no order changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import RewardInfo

__all__ = ["RewardScale", "ScaleKind", "scale_of"]

ScaleKind = Literal["run", "range", "constants"]


@dataclass(frozen=True, slots=True)
class RewardScale:
    """Takes rewards to 0..top.

    ``run`` and ``range``: linear from ``low`` to ``high``, which become 0 and ``top``. ``constants``: ``top`` times the
    normal distribution function of the reward, which is in standard deviations then: the share of the clips behind the
    constants that it is better than, were these normal.
    """

    kind: ScaleKind
    top: float
    low: float | None = None
    high: float | None = None

    def __call__(self, reward: float) -> float:
        """Return a reward on the scale."""
        if self.low is None or self.high is None:
            return self.top * 0.5 * math.erfc(-reward / math.sqrt(2))
        share = (reward - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.top * min(1.0, max(0.0, share))


def scale_of(kind: ScaleKind, info: RewardInfo, rewards: Sequence[float], *, top: float) -> RewardScale:
    """Return the scale of a reward.

    Args:
        kind: ``run``: from the lowest to the highest of ``rewards``. ``range``: from the lowest to the highest that can
            be. ``constants``: by the constants that normalise it.
        info: Of the reward.
        rewards: Of all clips that have one.
        top: The highest score.

    Raises:
        ConfigError: The reward has no bounds, or no constants.
        DataError: A reward lies out of the bounds that it states.
    """
    if kind == "run":
        return RewardScale(kind, top, min(rewards, default=0.0), max(rewards, default=0.0))
    if kind == "constants":
        if not info.constants:
            raise ConfigError(
                f"`--scale` got 'constants', and reward {info.name!r} has none; expected --constants FILE of "
                '"anisora reward constants".'
            )
        return RewardScale(kind, top)
    if info.value_range is None or not all(map(math.isfinite, info.value_range)):
        told = "is not known" if info.value_range is None else f"is {list(info.value_range)}"
        raise ConfigError(
            f"`--scale` got 'range', and that of reward {info.name!r} {told}; expected two bounds. Choose run, or "
            "constants."
        )
    low, high = info.value_range
    spare = 1e-6 * (high - low)  # rewards are float32
    outside = next((reward for reward in rewards if not low - spare <= reward <= high + spare), None)
    if outside is not None:
        raise DataError(
            f"Reward {info.name!r} gave {outside:g}; expected {low:g} to {high:g}, which it states. Choose --scale run."
        )
    return RewardScale(kind, top, low, high)
