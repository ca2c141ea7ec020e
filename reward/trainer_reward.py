"""A reward as a training loop needs it: one call at a time, nothing invalid unseen, and what it takes is known."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anisora.harness.errors import AnisoraError
from anisora.harness.protocols import RewardBatch, RewardInfo, RewardModel
from anisora.harness.record import digest_of
from anisora.harness.types import Condition
from anisora.reward.call_cost import measured_call
from anisora.reward.invalid_policy import InvalidPolicy
from anisora.reward.partial_batch import spread_batch
from anisora.reward.reward_inputs import check_length, converter
from anisora.reward.running_summary import RewardSummary, RunningSummary
from anisora.reward.trainer_frames import TrainerFrames
from anisora.reward.wrapped_reward import WrappedReward

__all__ = ["TrainerReward"]

_log = logging.getLogger(__name__)


class TrainerReward(WrappedReward):
    """A reward with a policy for what is invalid, and with latency and memory of every call.

    Example:
        >>> judge = TrainerReward(anisora.reward("metric_reward:sharpness=1"), invalid=-1.0)  # doctest: +SKIP
        >>> judge.summary().seconds_p95  # doctest: +SKIP
    """

    def __init__(self, reward: RewardModel, *, invalid: InvalidPolicy | str | float = "skip") -> None:
        """Take a reward.

        Args:
            reward: The reward; it is closed with this one.
            invalid: ``skip``: the total is NaN. ``stop``: the call raises. A number: the total is that number.
                ``valid`` is False in any case, dimensions stay NaN, and ``scores`` say why.

        Raises:
            ConfigError: There is no such policy.
        """
        super().__init__([reward], owned=[reward])
        self._reward = reward
        self.invalid = InvalidPolicy.given(invalid)
        self._lock = threading.Lock()
        self._running = RunningSummary()

    @property
    def info(self) -> RewardInfo:
        """That of the reward; a number that is put in place is part of the fingerprint."""
        info = self._reward.info
        if self.invalid.kind != "constant":
            return info
        return replace(info, fingerprint=digest_of({"reward": info.fingerprint, "invalid": self.invalid.value}))

    @property
    def weighted(self) -> tuple[str, ...]:
        """The dimensions that enter the total."""
        info = self._reward.info
        return tuple(name for name, weight in zip(info.dimensions, info.weights, strict=True) if weight)

    def summary(self) -> RewardSummary:
        """Return what all calls said and took so far."""
        with self._lock:
            return self._running.summary()

    def __call__(
        self,
        videos: Any,  # noqa: ANN401 - a torch tensor, a numpy array or paths
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        fps: float,
    ) -> RewardBatch:
        """Score a batch, as the reward does; calls of several threads wait for each other.

        A failure inside the reward (out of memory, say) makes the whole batch invalid, with the reason in ``scores``
        and in the log. What the caller does wrong (a layout, a frame rate) is raised.

        Raises:
            DataError: The caller's arguments are wrong, or a video is invalid and the policy is ``stop``.
        """
        return self.score(TrainerFrames(videos=videos), prompts, images, fps=fps)

    def score(
        self,
        frames: TrainerFrames,
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        fps: float,
    ) -> RewardBatch:
        """Score a batch of which some videos are known to be unusable: these are invalid, as those that fail are.

        Raises:
            DataError: As of a call.
        """
        check_length("prompts", prompts, len(frames.videos))
        check_length("images", images, len(frames.videos))
        with self._lock:
            with measured_call(self.device) as cost:
                found = self._scored(frames, prompts, images, fps)
            found = replace(found, seconds=cost.seconds, peak_bytes=cost.peak_bytes)
            self._running.add(found)
        self.invalid.check(found, self.weighted)
        return replace(found, total=converter(frames.videos)(self.invalid.applied(found.total)))

    def _scored(
        self, frames: TrainerFrames, prompts: Sequence[str], images: Sequence[Condition] | None, fps: float
    ) -> RewardBatch:
        count = len(frames.videos)
        places = [place for place in range(count) if place not in frames.unusable]
        if not frames.unusable:
            videos = frames.videos
        elif hasattr(frames.videos, "shape"):
            videos = frames.videos[places]
        else:
            videos = [frames.videos[place] for place in places]
        reasons = dict(frames.unusable)
        found = None
        try:
            if places:
                chosen = None if images is None else [images[place] for place in places]
                found = self._reward(videos, [prompts[place] for place in places], chosen, fps=fps)
        except AnisoraError:
            raise
        except Exception as error:
            _log.warning("Reward %s failed on %d videos", self._reward.info.name, len(places), exc_info=True)
            reasons |= dict.fromkeys(places, f"{type(error).__name__}: {error}")
        if found is not None and not reasons:
            return found
        return spread_batch(
            found, places, reasons, dimensions=self._reward.info.dimensions, convert=converter(frames.videos)
        )
