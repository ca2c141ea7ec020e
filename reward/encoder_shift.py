"""What encoders do to metrics: every clip before and after, paired.

A reward that sees frames and a leaderboard that sees files judge two things where the files are lossy. How far that
goes depends on the metric, so that it is measured.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from anisora.harness.errors import AnisoraError, ConfigError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.encoding import encoder_suffix
from anisora.harness.protocols import Direction
from anisora.harness.statistics.multiplicity import holm
from anisora.harness.statistics.paired_difference import PairedDifference, paired_difference
from anisora.harness.statistics.rank_correlation import spearman
from anisora.harness.types import Clip, FrameArray, Generation, Score

__all__ = ["ENCODERS", "EncoderShift", "ShiftClip", "ShiftReport", "encoder_shift"]

ENCODERS: Final = ("h264:crf=10", "h264:crf=18", "h264:crf=28")
"""That of ``--encoder h264``, FFmpeg's visually lossless, and one of the web."""
_FEWEST_RANKED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftClip:
    """A clip whose scores are compared before and after."""

    name: str
    cluster: str
    """Clips of one cluster are no independent draws."""
    item: Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderShift:
    """One metric under one encoder, in the metric's natural unit."""

    metric: str
    direction: Direction
    encoder: str
    before: float | None
    """Mean of the clips that have both scores, as they were given."""
    after: float | None
    spread: float | None
    """Deviation of those clips from one another before, that of a population: the scale on which a shift is large."""
    difference: PairedDifference
    """After minus before, over clips."""
    largest: float | None
    """The largest difference of a clip, without its sign."""
    corrected_p: float | None
    """By Holm, over all metrics and encoders of the report."""
    rank_correlation: float | None
    """Spearman's, of clips before and after: 1 where the encoder changes no order."""

    @property
    def standardised(self) -> float | None:
        """The mean difference in deviations of clips; None where there is none."""
        value = self.difference.estimate.value
        return None if value is None or not self.spread else value / self.spread


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftReport:
    """All metrics under all encoders."""

    shifts: tuple[EncoderShift, ...]
    clips: int
    excluded: Mapping[str, str]
    """{metric: why it was left out}"""
    problems: tuple[str, ...]
    """Clips that could not be encoded, and why."""


def encoder_shift(
    clips: Sequence[ShiftClip],
    metrics: Sequence[str],
    encoders: Sequence[str] = ENCODERS,
    *,
    advance: Callable[[], None] = lambda: None,
) -> ShiftReport:
    """Score every clip as it is, and again after each encoder.

    The clips themselves may be files of any kind: what is compared are their frames as decoded, whose score is that of
    a lossless file, and the same frames after one more encoder.

    Args:
        clips: The clips, with names of their own.
        metrics: Metrics or groups of them.
        encoders: As of ``--encoder``.
        advance: Called once per clip.

    Raises:
        ConfigError: There is no clip or encoder, one is there twice, or no metric is left that any clip has inputs for.
        UnknownNameError: A metric or encoder is not known.
    """
    from anisora.harness.stages.plan import metric_names, plan_metrics
    from anisora.reward.metric_reward import MetricReward

    for what, names in (("clips", [clip.name for clip in clips]), ("encoder", list(encoders))):
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"`{what}` got {names[:5]}; expected one or more, each once.")
    suffixes = {encoder: encoder_suffix(encoder) for encoder in encoders}
    samples = [clip.item.sample for clip in clips]
    plan = plan_metrics(metric_names(metrics), samples, leave_out=True)
    found: dict[str, dict[str, dict[str, float]]] = {}  # {"" or encoder: {metric: {clip: value}}}
    problems: list[str] = []
    with MetricReward(dict.fromkeys(plan.metrics, 1.0)) as judge, DecoderPool() as pool:
        for clip in clips:
            with tempfile.TemporaryDirectory(prefix="anisora-shift-") as folder:
                encoded = _encoded(clip, suffixes, pool, Path(folder), problems)
                batch = judge.score_items([clip.item, *encoded.values()])
                for encoder, scores in zip(("", *encoded), batch.scores, strict=True):
                    _keep(scores, clip.name, found.setdefault(encoder, {}))
            advance()
    clusters = {clip.name: clip.cluster for clip in clips}
    directions = {name: metric.info.direction for name, metric in plan.metrics.items()}
    shifts = [
        _shift(
            name, direction, encoder, found.get("", {}).get(name, {}), found.get(encoder, {}).get(name, {}), clusters
        )
        for name, direction in directions.items()
        for encoder in encoders
    ]
    corrected = holm([shift.difference.p_value for shift in shifts])
    return ShiftReport(
        shifts=tuple(replace(shift, corrected_p=p) for shift, p in zip(shifts, corrected, strict=True)),
        clips=len(clips),
        excluded=plan.excluded,
        problems=tuple(problems),
    )


def _encoded(
    clip: ShiftClip, suffixes: Mapping[str, str], pool: DecoderPool, folder: Path, problems: list[str]
) -> dict[str, Generation]:
    """Return the clip after each encoder; what cannot be read or encoded is told in ``problems``."""
    from anisora.harness.inputs.manifest import clip_at

    found: dict[str, Generation] = {}
    try:
        frames, fps = _frames(clip.item.clip, pool)
        for place, (encoder, suffix) in enumerate(suffixes.items()):
            path = folder / f"{place}{suffix}"
            pool.encode(frames, fps=fps, path=path, encoder=encoder)
            found[encoder] = replace(clip.item, clip=clip_at(path, None))
    except AnisoraError as error:
        problems.append(f"{clip.name}: {error}")
    return found


def _frames(
    source: Clip | FrameArray, pool: DecoderPool
) -> tuple["np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", float]:
    if isinstance(source, FrameArray):
        return source.frames, source.fps
    frames, stream = pool.read_frames(source)
    return frames, stream.fps


def _keep(scores: Mapping[str, Score], clip: str, values: dict[str, dict[str, float]]) -> None:
    for metric, score in scores.items():
        if score.value is not None:
            values.setdefault(metric, {})[clip] = score.value


def _shift(
    metric: str,
    direction: Direction,
    encoder: str,
    before: Mapping[str, float],
    after: Mapping[str, float],
    clusters: Mapping[str, str],
) -> EncoderShift:
    shared = sorted(before.keys() & after.keys())
    first = np.array([before[name] for name in shared], np.float64)
    second = np.array([after[name] for name in shared], np.float64)
    ranked = spearman(first.tolist(), second.tolist()).value if len(shared) >= _FEWEST_RANKED else None
    return EncoderShift(
        metric=metric,
        direction=direction,
        encoder=encoder,
        before=float(first.mean()) if shared else None,
        after=float(second.mean()) if shared else None,
        spread=float(first.std()) if shared else None,
        difference=paired_difference(after, before, clusters),
        largest=float(np.abs(second - first).max()) if shared else None,
        corrected_p=None,
        rank_correlation=ranked,
    )
