"""A reward whose dimensions are put on one scale by stored constants before they are weighed."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import RewardBatch, RewardInfo, RewardModel
from anisora.harness.record import digest_of
from anisora.harness.types import Condition
from anisora.reward.constants import Constants
from anisora.reward.reward_inputs import as_numpy, converter
from anisora.reward.weighted_mean import weighted_mean
from anisora.reward.wrapped_reward import WrappedReward

__all__ = ["NormalisedReward"]


class NormalisedReward(WrappedReward):
    """``total = sum(w_i * z_i) / sum(|w_i|)`` with ``z_i = (dimension_i - mean_i) / std_i``; raw values stay beside.

    Example:
        >>> judge = NormalisedReward(anisora.reward("metric_reward:sharpness=1"), "constants.json")  # doctest: +SKIP
    """

    def __init__(self, reward: RewardModel, constants: Constants | str | Path) -> None:
        """Check that the constants are those of the reward's dimensions.

        Args:
            reward: The reward; it is closed with this one.
            constants: A file, or what it holds. Dimensions that are only reported may have none.

        Raises:
            ConfigError: A weighted dimension has no constants, or they were measured where its numbers were made in
                another way.
            DataError: The file is not there, or damaged.
        """
        super().__init__([reward], owned=[reward])
        self._reward = reward
        self._constants = Constants.given(constants)
        info = reward.info
        for dimension, weight in zip(info.dimensions, info.weights, strict=True):
            known = self._constants.dimensions.get(dimension)
            if known is None:
                if weight:
                    raise ConfigError(
                        f"Constants {self._constants.name!r} have no `{dimension}`, which is weighed; expected all of "
                        f"{', '.join(info.dimensions)}; measure them on a run that has it."
                    )
            elif info.protocols.get(dimension, known.protocol) != known.protocol:
                raise ConfigError(
                    f"Constants {self._constants.name!r} of `{dimension}` were measured where its numbers were made in "
                    "another way (version, weights or sampling); measure them again."
                )
        self._dimensions = [name for name in info.dimensions if name in self._constants.dimensions]

    @property
    def info(self) -> RewardInfo:
        """That of the reward, with the constants."""
        info = self._reward.info
        fingerprint = digest_of({"reward": info.fingerprint, "constants": self._constants.digest})
        # Of the total of the reward that is wrapped, which says nothing of that of its normalised dimensions.
        return replace(info, fingerprint=fingerprint, constants=self._constants.label, value_range=None)

    def __call__(
        self,
        videos: Any,  # noqa: ANN401 - a torch tensor, a numpy array or paths
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        fps: float,
    ) -> RewardBatch:
        """Score a batch, as the reward does.

        Returns:
            ``dimensions`` as the reward gives them, ``normalised`` beside them, and the total of these.
        """
        started = time.perf_counter()
        batch = self._reward(videos, prompts, images, fps=fps)
        info, convert = self._reward.info, converter(videos)
        values = {name: self._normalised(name, batch.dimensions[name]) for name in self._dimensions}
        total = weighted_mean(values, dict(zip(info.dimensions, info.weights, strict=True)))
        return replace(
            batch,
            total=convert(total.astype(np.float32)),
            valid=convert(np.isfinite(total)),
            normalised={name: convert(each.astype(np.float32)) for name, each in values.items()},
            seconds=time.perf_counter() - started,
        )

    def _normalised(self, name: str, values: Any) -> Any:  # noqa: ANN401 - arrays
        known = self._constants.dimensions[name]
        return (as_numpy(values).astype(np.float64) - known.mean) / known.std
