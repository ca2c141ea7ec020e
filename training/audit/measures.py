"""What an audit measures of each clip, and of each clip among those of its model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from anisora.harness.features import FeatureStore
from anisora.harness.types import Clip, FrameArray
from anisora.reward.metric_reward import MetricReward
from anisora.training.audit.clips import AuditClip
from anisora.training.audit.distances import Place, first_frame_distance, moments, small_pictures, surroundings
from anisora.training.audit.grid_peak import grid_peak
from anisora.training.audit.signals import Signal

__all__ = ["ClipMeter", "Values", "values_of"]

Values = Mapping[str, Mapping[tuple[str, int], float]]
"""{signal: {(item, seed): value}}; clips that a signal does not apply to are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one clip."""

    values: Mapping[str, float]
    """{signal: value}"""
    place: Place


class ClipMeter:
    """Measures clips one at a time; what is kept of a clip is small."""

    def __init__(self, signals: Mapping[str, Signal]) -> None:
        """Make the metrics of the signals; nothing is decoded or loaded yet.

        Args:
            signals: {name: signal}.

        Raises:
            WeightsMissing: Weight files of a held-out metric are not there.
            MissingExtra: Its packages are not installed.
        """
        from anisora.harness.media.decoder import DecoderPool
        from anisora.harness.stages.plan import plan_metrics

        metrics = {name: signal.metric for name, signal in signals.items() if signal.metric is not None}
        self._metrics = metrics
        names = sorted(set(metrics.values()))
        plan = plan_metrics(names, [], leave_out=False)
        self._store = FeatureStore(pool=DecoderPool(), requests=plan.requests, weights=plan.weights)
        # Weights do not matter: every dimension is read by itself.
        self._reward = MetricReward(dict.fromkeys(names, 1.0), features=self._store)

    def close(self) -> None:
        """End the decoder processes."""
        self._store.pool.close()

    def __call__(self, clips: Sequence[AuditClip], advance: Callable[[], None] = lambda: None) -> list[Measured]:
        """Measure clips.

        Args:
            clips: At whatever size and length.
            advance: Called once per clip.

        Raises:
            VideoUnreadable: A clip cannot be decoded.
        """
        found = []
        for clip in clips:
            found.append(self._measure(clip))
            advance()
        return found

    def _measure(self, clip: AuditClip) -> Measured:
        generation = clip.generation()
        if isinstance(clip.video, Clip):
            frames, stream = self._store.pool.read_frames(clip.video)
            in_memory = FrameArray(frames=frames, fps=stream.fps)
        else:
            in_memory = clip.video
            frames = in_memory.frames
        from dataclasses import replace

        scores = self._reward.score_items([replace(generation, clip=in_memory)]).scores[0]
        pictures = small_pictures(frames)
        values: dict[str, float | None] = {name: scores[metric].value for name, metric in self._metrics.items()}
        values |= {"grid": grid_peak(frames), "first_frame_distance": first_frame_distance(pictures)}
        place = Place(
            item=clip.item,
            seed=clip.seed,
            image=None if clip.image is None else clip.image.digest,
            moments=moments(pictures),
        )
        return Measured(values={name: value for name, value in values.items() if value is not None}, place=place)


def values_of(clips: Sequence[Measured]) -> dict[str, dict[tuple[str, int], float]]:
    """Return the values of all signals: those of the clips by themselves, and those of each among the others.

    Args:
        clips: All of one model at one step.
    """
    found: dict[str, dict[tuple[str, int], float]] = {}
    for clip, around in zip(clips, surroundings([clip.place for clip in clips]), strict=True):
        among = {
            "prompt_specificity": around.specificity,
            "prompt_distance": around.between,
            "diversity": around.within,
        }
        for name, value in {**clip.values, **among}.items():
            if value is not None:
                found.setdefault(name, {})[clip.place.item, clip.place.seed] = value
    return found
