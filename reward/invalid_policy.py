"""What a trainer gets for a video that could not be scored: never the mean of what is left of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import RewardBatch
from anisora.reward.reward_inputs import as_numpy

__all__ = ["InvalidPolicy"]

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class InvalidPolicy:
    """What stands for a reward that is not there; ``valid`` is False in any case, so that no mean takes it in."""

    kind: Literal["skip", "stop", "constant"]
    """``skip``: NaN. ``stop``: an error names the videos. ``constant``: ``value``."""
    value: float = math.nan

    @classmethod
    def given(cls, policy: "InvalidPolicy | str | float") -> "InvalidPolicy":
        """Return a policy by its name, or by its number.

        Raises:
            ConfigError: It is neither.
        """
        if isinstance(policy, InvalidPolicy):
            return policy
        if policy == "skip":
            return cls("skip")
        if policy == "stop":
            return cls("stop")
        if isinstance(policy, bool) or not isinstance(policy, int | float) or not math.isfinite(policy):
            raise ConfigError(
                f"`invalid` got {policy!r}; expected 'skip', 'stop' or a finite number, such as -1.0, to put in place."
            )
        return cls("constant", float(policy))

    def check(self, batch: RewardBatch, total: Sequence[str]) -> None:
        """Stop where that is the policy and a video is invalid.

        Args:
            batch: What the reward returned.
            total: The dimensions that enter its total.

        Raises:
            DataError: Videos are invalid; the first are named with their dimensions and the reasons.
        """
        lacking = [place for place, valid in enumerate(as_numpy(batch.valid)) if not valid]
        if self.kind != "stop" or not lacking:
            return
        told = "; ".join(f"video {place}: {_reasons(batch, place, total)}" for place in lacking[:_SHOWN])
        raise DataError(
            f"`invalid` is 'stop', and {len(lacking)} of {len(batch.valid)} videos could not be scored: {told}. Mend "
            "them, leave the dimension out, or choose 'skip' or a number."
        )

    def applied(self, values: Any) -> NDArray[np.float32]:  # noqa: ANN401 - a tensor or an array
        """Return numbers of a batch, (B,), with the policy's number for those that are not there."""
        numbers = as_numpy(values).astype(np.float32)
        return np.where(np.isfinite(numbers), numbers, np.float32(self.value)) if self.kind == "constant" else numbers


def _reasons(batch: RewardBatch, place: int, total: Sequence[str]) -> str:
    """Return why a video has no total."""
    row = batch.scores[place] if batch.scores else {}
    found = [f"`{name}`: {row[name].note}" for name in total if name in row and row[name].value is None]
    return ", ".join(found) or "no total"
