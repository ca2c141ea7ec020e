"""A reward in the place of the one that DanceGRPO asks: VideoAlign's.

Reference: fastvideo/train_grpo_skyreels_i2v.py and train_grpo_hunyuan.py (``inferencer.reward``; -1 for an exception).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import RewardModel
from anisora.harness.types import Condition
from anisora.reward.invalid_policy import InvalidPolicy
from anisora.reward.running_summary import RewardSummary
from anisora.reward.trainer_frames import trainer_frames
from anisora.reward.trainer_reward import TrainerReward
from anisora.reward.weighted_mean import weighted_mean

__all__ = ["DanceGrpoReward", "as_dancegrpo"]

OVERALL: Final = "Overall"
VALID: Final = "valid"


class DanceGrpoReward:
    """``reward(video_paths, prompts, use_norm=...) -> [{dimension: score, "Overall": total, "valid": bool}]``."""

    def __init__(self, reward: TrainerReward, fps: float) -> None:
        """Take a reward and the frame rate of all videos."""
        for name in (OVERALL, VALID):
            if name in reward.info.dimensions:
                raise ConfigError(
                    f"Reward {reward.info.name!r} has a dimension {name!r}, which DanceGRPO reads as ours."
                )
        self._reward = reward
        self._fps = fps

    def summary(self) -> RewardSummary:
        """Return what all calls said and took so far."""
        return self._reward.summary()

    def reward(
        self,
        videos: Any,  # noqa: ANN401 - paths, a tensor or an array
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        use_norm: bool | None = None,
    ) -> list[dict[str, float]]:
        """Score videos.

        Args:
            videos: Paths, or frames in any layout of ``trainer_frames``.
            prompts: One each.
            images: The conditioning of each, for metrics that need it.
            use_norm: Dimensions by stored constants, or raw; by constants where the reward has them, unless said. The
                totals of rewards that were combined are what each makes of its own constants in both cases.

        Returns:
            One mapping a video. ``valid`` is False where it could not be scored; numbers are NaN then, or what the
            policy puts in their place.

        Raises:
            ConfigError: ``use_norm`` is True, and the reward has no constants.
            DataError: The layout, the frame rate or a length is wrong, or a video is invalid under the policy ``stop``.
        """
        info = self._reward.info
        if use_norm and not info.constants:
            raise ConfigError(
                f"`use_norm` is True, but reward {info.name!r} has no constants; leave it out, or make the reward with "
                'constants of "anisora reward constants".'
            )
        batch = self._reward.score(trainer_frames(videos), prompts, images, fps=self._fps)
        invalid, weights = self._reward.invalid, dict(zip(info.dimensions, info.weights, strict=True))
        normalised: Mapping[str, Any] = batch.normalised if use_norm is not False else {}
        chosen = {name: np.asarray(normalised.get(name, values)) for name, values in batch.dimensions.items()}
        total = np.asarray(batch.total)
        if use_norm is False and info.constants:
            total = invalid.applied(weighted_mean({name: _wide(each) for name, each in chosen.items()}, weights))
        columns = {name: invalid.applied(each) if weights[name] else each for name, each in chosen.items()}
        columns[OVERALL] = total
        return [
            {name: float(column[place]) for name, column in columns.items()} | {VALID: bool(valid)}
            for place, valid in enumerate(np.asarray(batch.valid))
        ]


def as_dancegrpo(reward: RewardModel, *, fps: float, invalid: InvalidPolicy | str | float = "skip") -> DanceGrpoReward:
    """Return a reward as DanceGRPO calls one.

    There, an exception is a reward of -1 that the group's mean takes in; ``invalid=-1.0`` gives that number, and
    ``valid`` tells it apart.

    Args:
        reward: The reward; a ``TrainerReward`` keeps its own policy.
        fps: Frame rate of the videos, which files must have.
        invalid: As of ``TrainerReward``.

    Raises:
        ConfigError: There is no such policy, or a dimension is called ``Overall`` or ``valid``.
    """
    return DanceGrpoReward(reward if isinstance(reward, TrainerReward) else TrainerReward(reward, invalid=invalid), fps)


def _wide(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return values.astype(np.float64)
