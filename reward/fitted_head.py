"""A head that was fitted to people's ratings or preferences, as a metric and as a reward."""

from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import ExtractorInfo, FeatureReader, MetricInfo
from anisora.harness.registry import registry
from anisora.harness.types import Generation, Score
from anisora.metrics.scoring import scored, unscored
from anisora.reward.clip_features import POOLING, clip_vector, feature_requests
from anisora.reward.head_folder import FILES, HeadConfig, read_head
from anisora.reward.metric_reward import MetricReward

__all__ = ["FittedHead", "fitted_head_reward"]

_SOURCE = "this project; ridge regression, or Bradley and Terry (1952) with ties by Davidson (1970)"


class FittedHead:
    """A linear function of frozen features, fitted by ``anisora reward fit``."""

    def __init__(self, path: Any = "") -> None:  # noqa: ANN401 - a specification makes numbers of digits
        """Read the head; what is wrong with it is kept as the obstacle of ``info``.

        Args:
            path: Folder that ``anisora reward fit`` wrote.
        """
        self._path = str(path)
        self.info = _info("fitted_head", obstacle="Metric 'fitted_head' needs its folder; write fitted_head:path=DIR.")
        if not self._path:
            return
        spelled = f"fitted_head:path={self._path}"
        try:
            self._head, config = read_head(Path(self._path))
            infos = _extractors(config, self._path)
        except ConfigError as error:
            self.info = _info(spelled, obstacle=str(error))
            return
        self.info = MetricInfo(
            name=spelled,
            title=f"Fitted head: {config.dimension}",
            version=1,
            direction="higher",
            value_range=(float("-inf"), float("inf")),
            requests=feature_requests([info.name for info in infos], config.frames),
            source=_SOURCE,
            group="fitted",
            needs=frozenset(need for info in infos for need in info.needs),
            unit="rating" if config.kind == "ratings" else "log odds",
            licence=_licence(config),
            commercial_use=all(used.commercial_use for used in config.extractors),
            files=((FILES[0], config.head_sha256), (FILES[1], config.digest)),
            fitted_on=tuple(item for used in config.extractors for item in sorted(used.weights.items())),
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip.

        Returns:
            On the scale of the ratings, not cut off at its ends; of preferences, log odds against the mean clip of the
            training part. None where a feature of the clip is no finite number.
        """
        vector = clip_vector(item, self.info.requests, features)
        if vector.shape != self._head.weight.shape:
            return unscored(item, f"{len(vector)} features, and the head has {len(self._head.weight)} weights")
        if not np.isfinite(vector).all():
            return unscored(item, "a feature of the clip is no finite number, such as of a clip that is flat or small")
        return scored(item, float(self._head.score(vector[None])[0]))


def _info(name: str, *, obstacle: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        title="Fitted head",
        version=1,
        direction="higher",
        value_range=(float("-inf"), float("inf")),
        requests=(),
        source=_SOURCE,
        group="fitted",
        obstacle=obstacle,
    )


def _extractors(config: HeadConfig, path: str) -> list[ExtractorInfo]:
    """Return the extractors of a head, which must be what they were.

    Raises:
        ConfigError: One is another version, or features are pooled in another way.
    """
    infos = []
    for used in config.extractors:
        info: ExtractorInfo = registry("extractors").create(used.name).info
        if (info.version, info.preprocess) != (used.version, used.preprocess):
            raise ConfigError(
                f"Fitted head `{path}` is of extractor `{used.name}` version {used.version} ({used.preprocess}), and "
                f"here is version {info.version} ({info.preprocess}); fit it again."
            )
        infos.append(info)
    if config.pooling != POOLING:
        raise ConfigError(
            f"Fitted head `{path}` is of features pooled by {config.pooling!r}, and here is {POOLING!r}; fit it again."
        )
    return infos


def _licence(config: HeadConfig) -> str:
    licences = sorted({licence for used in config.extractors for licence in used.licences.values()})
    return f"features: {', '.join(licences) or 'Apache-2.0'}; the head: that of its ratings"


def fitted_head_reward(path: str, *, resident: str = "all") -> MetricReward:
    """Return a fitted head as a reward; ``anisora.reward("fitted_head:path=DIR")``.

    Raises:
        ConfigError: The folder is none, was altered, or its extractor is another one here.
    """
    return MetricReward([f"fitted_head:path={path}"], name="fitted_head", resident=resident)
