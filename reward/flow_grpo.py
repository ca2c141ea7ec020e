"""A reward in the place of Flow-GRPO's.

Reference: flow_grpo/rewards.py (the scorers and multi_score), scripts/train_sd3.py (how they are called).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import RewardModel
from anisora.harness.types import Condition
from anisora.reward.invalid_policy import InvalidPolicy
from anisora.reward.reward_inputs import check_length
from anisora.reward.running_summary import RewardSummary
from anisora.reward.trainer_frames import trainer_frames
from anisora.reward.trainer_reward import TrainerReward

__all__ = ["FlowGrpoReward", "as_flow_grpo"]

AVERAGE: Final = "avg"
VALID: Final = "valid"
NORMALISED: Final = "_normalised"
_IMAGE: Final = "image"


class FlowGrpoReward:
    """``(images, prompts, metadata[, only_strict]) -> (scores, {})``; may be called from several threads."""

    def __init__(self, reward: TrainerReward, fps: float) -> None:
        """Take a reward and the frame rate of all videos."""
        for name in (AVERAGE, VALID):
            if name in reward.info.dimensions:
                raise ConfigError(
                    f"Reward {reward.info.name!r} has a dimension {name!r}, which Flow-GRPO reads as ours."
                )
        self._reward = reward
        self._fps = fps

    def summary(self) -> RewardSummary:
        """Return what all calls said and took so far."""
        return self._reward.summary()

    def __call__(
        self,
        images: Any,  # noqa: ANN401 - a tensor, an array or paths
        prompts: Sequence[str],
        metadata: Sequence[Mapping[str, Any]] | None = None,
        only_strict: bool = True,
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """Score a batch.

        Args:
            images: Images (N, 3, H, W) or videos (N, T, 3, H, W) of floats from 0 to 1, or (N, H, W, 3) or
                (N, T, H, W, 3) uint8; or paths.
            prompts: One each.
            metadata: One each, or None; ``image`` is the path of the image that a video was made from.
            only_strict: For scorers that know strict and loose answers; nothing here does.

        Returns:
            {dimension: (N,)}, raw; ``<dimension>_normalised`` where there are constants; ``avg``, the total; ``valid``,
            1 or 0. Numbers that are not there are NaN, or what the policy puts in their place.

        Raises:
            DataError: The layout or a length is wrong, or a video is invalid and the policy is ``stop``.
        """
        check_length("metadata", metadata, len(prompts))
        batch = self._reward.score(trainer_frames(images), prompts, _conditions(metadata), fps=self._fps)
        weighted = set(self._reward.weighted)

        def numbers(name: str, values: Any) -> NDArray[np.float32]:  # noqa: ANN401
            return (self._reward.invalid if name in weighted else InvalidPolicy("skip")).applied(values)

        scores = {name: numbers(name, values) for name, values in batch.dimensions.items()}
        scores |= {f"{name}{NORMALISED}": numbers(name, values) for name, values in batch.normalised.items()}
        scores[AVERAGE] = np.asarray(batch.total, np.float32)
        scores[VALID] = np.asarray(batch.valid, np.float32)
        return scores, {}


def as_flow_grpo(reward: RewardModel, *, fps: float, invalid: InvalidPolicy | str | float = "skip") -> FlowGrpoReward:
    """Return a reward as Flow-GRPO calls one.

    There, ``avg`` is the weighted sum of the scores; here it is the reward's total, their weighted mean, as everywhere:
    the same advantages, up to the epsilon of their deviation.

    Args:
        reward: The reward; a ``TrainerReward`` keeps its own policy.
        fps: Frame rate of the videos; of images, any.
        invalid: As of ``TrainerReward``.

    Raises:
        ConfigError: There is no such policy, or a dimension is called ``avg`` or ``valid``.
    """
    return FlowGrpoReward(reward if isinstance(reward, TrainerReward) else TrainerReward(reward, invalid=invalid), fps)


def _conditions(metadata: Sequence[Mapping[str, Any]] | None) -> list[Condition] | None:
    from anisora.reward.scored_videos import conditioning

    if metadata is None:
        return None
    images = [each.get(_IMAGE) for each in metadata]
    return [conditioning(None if image is None else Path(image)) for image in images] if any(images) else None
