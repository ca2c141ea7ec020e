"""Any metrics as a reward: what a trainer maximises is what a leaderboard prints.

The videos of a batch go through the registered metrics and the feature store that evaluation uses, so the
score of a frame tensor is, bit for bit, the score of a lossless file of those frames.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from anisora.harness.errors import AnisoraError, ConfigError, DataError
from anisora.harness.networks import release_networks
from anisora.harness.protocols import Direction, RewardBatch, RewardInfo, RewardModel
from anisora.harness.record import digest_of
from anisora.harness.registry import Spec, registry
from anisora.harness.residency import NetworkGroup, network_groups, read_resident
from anisora.harness.types import Clip, Condition, Generation, Sample, Score
from anisora.reward.reward_inputs import as_numpy, check_length, converter, video_sources
from anisora.reward.weighted_mean import NO_TOTAL, weighted_mean, weighted_range

if TYPE_CHECKING:
    from anisora.harness.features import FeatureStore

__all__ = ["MetricReward", "as_scores", "reward"]

_FPS_TOLERANCE = 0.01  # 23.976 may be called 24
_DEFAULT_WEIGHTS: Mapping[Direction, float] = {"higher": 1.0, "lower": -1.0}


class MetricReward:
    """A weighted mean of metrics, for trainers.

    total = sum(w_i * metric_i) / sum(|w_i|), in the metrics' natural units. A metric of which less is better
    enters with a negative weight; one whose best value is the ground truth's needs a weight from the user,
    since "more" is not "better".

    Example:
        >>> with MetricReward({"temporal_flickering": 1.0, "warping_error": -0.5}) as judge:
        ...     batch = judge(videos, ["a girl runs"] * len(videos), fps=16)  # doctest: +SKIP
    """

    def __init__(
        self,
        metrics: Mapping[str, float | None] | Sequence[str],
        *,
        reported: Sequence[str] = (),
        name: str = "metric_reward",
        features: "FeatureStore | None" = None,
        resident: str = "all",
    ) -> None:
        """Make the metrics and settle their weights; nothing is decoded or loaded yet.

        Args:
            metrics: {metric: weight}, or names. A weight of None, and a bare name, is +1 where higher is
                better and -1 where lower is.
            reported: Names of metrics that are computed and told beside the others, and do not enter the total.
            name: What to call the reward in tables.
            features: The store to use; None makes one with its own decoder, closed with the reward.
            resident: ``all``: networks stay once they are loaded. ``one``: metrics are computed one group of networks
                after the other over all videos of a batch, and the networks of a group are released before those of
                the next are loaded; each group decodes the videos again. No number depends on it.

        Raises:
            UnknownNameError: A metric is not registered.
            ConfigError: No metric, a weight of zero or not finite, a ``reference`` metric without a weight, a metric
                that is both weighted and only reported, or no such policy.
            WeightsMissing: Weight files of an extractor are not there.
        """
        from anisora.harness.stages.plan import plan_metrics

        asked: Mapping[str, float | None] = metrics if isinstance(metrics, Mapping) else dict.fromkeys(metrics)
        if not asked or isinstance(metrics, str):
            raise ConfigError(f"`metrics` got {metrics!r}; expected at least one metric name, such as ['psnr'].")
        if twice := sorted(set(asked) & set(reported)):
            raise ConfigError(f"`reported` got {', '.join(twice)}, which `metrics` weighs; name it in one of them.")
        self._resident = read_resident(resident)
        self._plan = plan_metrics([*asked, *reported], [], leave_out=False)
        self._weights = {
            metric: _weight(metric, self._plan.metrics[metric].info.direction, weight)
            for metric, weight in asked.items()
        }
        self._name = name
        self._features = features
        self._owns_features = features is None
        self._groups = network_groups(self._plan.metrics)

    @property
    def info(self) -> RewardInfo:
        """Name, dimensions, weights (0: only reported) and the fingerprint of all that can change a number."""
        fingerprint = digest_of({"metrics": dict(self._plan.protocol), "weights": self._weights})
        return RewardInfo(
            name=self._name,
            dimensions=tuple(self._plan.metrics),
            weights=tuple(self._weights.get(metric, 0.0) for metric in self._plan.metrics),
            fingerprint=fingerprint,
            protocols={metric: digest_of(entry) for metric, entry in self._plan.protocol.items()},
            value_range=weighted_range(
                {name: metric.info.value_range for name, metric in self._plan.metrics.items()}, self._weights
            ),
        )

    @property
    def groups(self) -> tuple[NetworkGroup, ...]:
        """The metrics by the networks they need, in the order of ``resident="one"``."""
        return self._groups

    @property
    def device(self) -> str:
        """Where its networks run."""
        return self._plan.device

    def __enter__(self) -> Self:
        """Use as a context manager; leaving ends the decoder processes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the decoder processes, unless the store was given."""
        if self._features is not None and self._owns_features:
            self._features.pool.close()
            self._features = None

    def __call__(
        self,
        videos: Any,  # noqa: ANN401 - a torch tensor, a numpy array or paths
        prompts: Sequence[str],
        images: Sequence[Condition] | None = None,
        *,
        fps: float,
        ground_truth: Sequence[Clip | None] | None = None,
    ) -> RewardBatch:
        """Score a batch.

        Args:
            videos: (B, T, 3, H, W) uint8, a torch tensor on any device or a numpy array; or B paths of files.
            prompts: One a video.
            images: The conditioning of each video, for metrics that need it.
            fps: Frame rate of the tensor. Files that carry a frame rate of their own must agree with it.
            ground_truth: The clip that each video is compared with, for metrics that need it.

        Returns:
            total, dimensions and valid as arrays of the kind given in ``videos`` (numpy for paths); NaN where
            a metric did not apply, with the reason in ``scores[i][metric].note``.

        Raises:
            DataError: The layout, the frame rate or the number of prompts, images or clips is wrong.
        """
        sources = video_sources(videos, fps)
        check_length("prompts", prompts, len(sources))
        check_length("images", images, len(sources))
        check_length("ground_truth", ground_truth, len(sources))
        items = []
        for index, source in enumerate(sources):
            sample = Sample(
                id=str(index),
                prompt=prompts[index],
                condition=images[index] if images else Condition(),
                ground_truth=ground_truth[index] if ground_truth else None,
            )
            items.append(Generation(sample=sample, clip=source, model=self._name))
        return self._batch(items, float(fps), converter(videos))

    def score_items(self, items: Sequence[Generation]) -> RewardBatch:
        """Score clips of items, each at the frame rate of its own.

        Returns:
            As of a call with paths.
        """
        return self._batch(items, None, lambda array: array)

    def _batch(self, items: Sequence[Generation], fps: float | None, convert: Callable[[Any], Any]) -> RewardBatch:
        started = time.perf_counter()
        pool = self._store().pool
        decodes = pool.decodes
        rows, failed = self._rows(items, fps)
        dimensions = {
            metric: np.array([_number(row[metric].value) for row in rows], np.float64) for metric in self._plan.metrics
        }
        total = weighted_mean(dimensions, self._weights)
        return RewardBatch(
            total=convert(total.astype(np.float32)),
            dimensions={metric: convert(values.astype(np.float32)) for metric, values in dimensions.items()},
            valid=convert(np.isfinite(total)),
            seconds=time.perf_counter() - started,
            scores=tuple(rows),
            failed=tuple(failed),
            decodes=pool.decodes - decodes,
        )

    def _rows(
        self, items: Sequence[Generation], fps: float | None
    ) -> tuple[list[dict[str, Score]], list[frozenset[str]]]:
        """Return the rows of each item, and which of its metrics failed."""
        store = self._store()
        names = tuple(self._plan.metrics)
        if self._resident == "all":
            found = [self._score(item, names, store, fps) for item in items]
        else:
            found = [({}, frozenset()) for _ in items]
            for group in self._groups:
                release_networks(keep=group.weights)  # those of the group before, whose extractors are gone
                added = self._score_group(group, items, store, fps)
                found = [(row | more, bad | worse) for (row, bad), (more, worse) in zip(found, added, strict=True)]
        return [{name: row[name] for name in names} for row, _ in found], [bad for _, bad in found]

    def _score_group(
        self, group: NetworkGroup, items: Sequence[Generation], store: "FeatureStore", fps: float | None
    ) -> list[tuple[dict[str, Score], frozenset[str]]]:
        part = store.part(group.requests)
        return [self._score(item, group.metrics, part, fps) for item in items]

    def _score(
        self, item: Generation, names: Sequence[str], store: "FeatureStore", fps: float | None
    ) -> tuple[dict[str, Score], frozenset[str]]:
        from anisora.harness.stages.score import score_one

        row: dict[str, Score] = {}
        failed = set()
        for name in names:
            try:
                row[name] = score_one(self._plan.metrics[name], item, store)
            except AnisoraError as error:  # one bad clip must not end a training step; it is invalid, and says why
                row[name] = Score(sample_id=item.sample.id, seed=item.seed, value=None, note=str(error))
                failed.add(name)
        if fps is not None and any(score.value is not None for score in row.values()):
            own = store.stream(item).fps
            if abs(own - fps) > _FPS_TOLERANCE * fps:
                video = item.clip.path if isinstance(item.clip, Clip) else item.sample.id
                raise DataError(
                    f"`fps` got {fps:g}, but video `{video}` has {own:.3f}; expected the frame rate of the videos."
                )
        return row, frozenset(failed)

    def _store(self) -> "FeatureStore":
        if self._features is None:
            from anisora.harness.features import FeatureStore
            from anisora.harness.media.decoder import DecoderPool

            self._features = FeatureStore(pool=DecoderPool(), requests=self._plan.requests, weights=self._plan.weights)
        return self._features


def _weight(metric: str, direction: Direction, weight: float | None) -> float:
    if weight is None:
        if direction not in _DEFAULT_WEIGHTS:
            raise ConfigError(
                f"Metric `{metric}` is best where it equals the ground truth, so no weight follows from it; "
                "give one, "
                f"such as {metric}=1."
            )
        return _DEFAULT_WEIGHTS[direction]
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight == 0:
        raise ConfigError(f"Weight of `{metric}` got {weight!r}; expected a number other than 0, such as 1.0 or -0.5.")
    return float(weight)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def reward(name: str | Spec, /, **options: Any) -> RewardModel:  # noqa: ANN401 - the reward's own arguments
    """Create a reward by name.

    Args:
        name: A registered reward, or metrics with their weights:
            ``metric_reward:temporal_flickering=1,warping_error=-1``.
        options: Arguments of the reward, such as ``name``. ``constants``, of any reward, is what its dimensions are
            normalised by: a file of ``anisora reward constants``, or what it holds.

    Returns:
        A callable (videos, prompts, images, *, fps) -> RewardBatch.

    Raises:
        UnknownNameError: There is no such reward or metric.
        ConfigError: The reward does not take these arguments.

    Example:
        >>> reward("metric_reward:temporal_flickering").info.dimensions
        ('temporal_flickering',)
    """
    constants = options.pop("constants", None)
    if constants is not None:
        from anisora.reward.normalised_reward import NormalisedReward

        return NormalisedReward(reward(name, **options), constants)
    spec = Spec.parse(name) if isinstance(name, str) else name
    target = registry("rewards").get(spec.name)
    if target is MetricReward:
        metrics = dict(options.pop("metrics", {}))
        # A bare word stands for the metric's default weight.
        metrics |= {metric: None if weight is True else weight for metric, weight in spec.args.items()}
        return MetricReward(metrics, **options)
    created: RewardModel = registry("rewards").create(Spec(spec.name, {**spec.args, **options}))
    return created


def as_scores(
    batch: RewardBatch, *, sample_ids: Sequence[str], seeds: Sequence[int] | None = None
) -> dict[str, list[Score]]:
    """Return a batch as the rows of a run: {metric: a Score for each video}.

    The reward itself is there as ``total``.

    Args:
        batch: What a reward returned.
        sample_ids: The item of each video.
        seeds: The seed of each video; 0 where left out.

    Raises:
        DataError: Another number of ids or seeds than videos.
    """
    from dataclasses import replace

    totals = as_numpy(batch.total)
    check_length("sample_ids", sample_ids, len(totals))
    check_length("seeds", seeds, len(totals))
    keys = list(zip(sample_ids, seeds or [0] * len(totals), strict=True))
    rows = {
        metric: [
            replace(row[metric], sample_id=sample, seed=seed)
            for (sample, seed), row in zip(keys, batch.scores, strict=True)
        ]
        for metric in batch.dimensions
    }
    rows["total"] = [
        Score(
            sample_id=sample,
            seed=seed,
            value=float(value) if math.isfinite(value) else None,
            note="" if math.isfinite(value) else NO_TOTAL,
        )
        for (sample, seed), value in zip(keys, totals, strict=True)
    ]
    return rows
