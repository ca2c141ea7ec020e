"""A judge's answer as a metric: smoothness and appeal differ in the network alone."""

from typing import Final

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import Generation, Score
from anisora.metrics.scoring import scored
from anisora.reward.judge.tokens import IMAGE
from anisora.reward.mode import Mode, frames_of, named, read_mode

__all__ = ["JudgedScore", "score_of"]

_DIGITS: Final = 3
"""Of the logit, in the release."""
_UNBOUNDED: Final = (float("-inf"), float("inf"))


def score_of(logit: float, mode: Mode) -> float:
    """Return the score for a logit: a hundredth of it, which is neither cut at 0 nor at 1.

    Args:
        logit: About 0..100.
        mode: ``reference`` rounds the logit to three digits (reward/reward_infer.py), ``corrected`` does not.
    """
    return round(float(logit), _DIGITS) / 100 if mode == "reference" else float(logit) / 100


class JudgedScore:
    """A hundredth of what an Idefics2 regressor answers to 24 frames and the prompt."""

    def __init__(self, name: str, title: str, extractor: str, source: str, mode: str, *, min_frames: int) -> None:
        """Name the metric and its judge.

        Args:
            name: Of the metric.
            title: The same for people.
            extractor: Of the judge; takes the argument ``mode``.
            source: Where the reference computes it.
            mode: ``reference`` or ``corrected``.
            min_frames: Shorter clips are left unscored.

        Raises:
            ConfigError: There is no such mode.
        """
        self._mode = read_mode(mode)
        self.info = MetricInfo(
            name=named(name, self._mode),
            title=title,
            version=1,
            direction="higher",
            value_range=_UNBOUNDED,
            requests=(FeatureRequest(extractor=named(extractor, self._mode), sampling=frames_of(self._mode)),),
            source=source,
            group="reward",
            needs=frozenset({"prompt"}),
            min_frames=min_frames,
            licence="Apache-2.0 with the Index-AniSora Model License Agreement",
            commercial_use=False,
            mode=self._mode,
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["logit"]`` has the answer itself.

        Returns:
            Value about 0..1.
        """
        request = self.info.requests[0]
        logit = float(features.get(item, request.extractor, request.sampling)["logit"][0])
        count = (item.sample.prompt or "").count(IMAGE)
        note = (
            f"{IMAGE!r} stands {count} times in the prompt and was taken for the clip's first frames" if count else ""
        )
        return scored(item, score_of(logit, self._mode), parts={"logit": [logit]}, note=note)
