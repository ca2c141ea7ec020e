"""From a file of judgements and clips to a fitted head in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anisora.harness.cache import FeatureCache
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.executors.local import map_unordered
from anisora.harness.extras import require_extra
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.progress import progress
from anisora.harness.protocols import FeatureRequest
from anisora.harness.record import digest_of
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Generation
from anisora.harness.weights import digests_of, entry_of
from anisora.reward.clip_features import POOLING, clip_vector, feature_requests
from anisora.reward.head_card import model_card, quality_data
from anisora.reward.head_fitting import HeadFit, fit_head
from anisora.reward.head_folder import ExtractorUsed, HeadConfig, write_head
from anisora.reward.head_problems import PARTS, FitOptions, Pair
from anisora.reward.rated_clips import GroupBy, first_frame_digest, groups_of, judged_clips
from anisora.reward.ratings import ClipKey, Judgements

__all__ = ["FitRequest", "FittedFolder", "fit_head_of_clips"]

_RULES: Mapping[GroupBy, str] = {
    "first-frame": "clips of one item, of one conditioning image, or whose first frames are equal",
    "label": "clips of one item, one label, one conditioning image, or whose first frames are equal",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """What to fit, and where to put it."""

    ratings: Path
    judgements: Judgements
    clips: Mapping[ClipKey, Generation]
    """All clips that are there; those that were judged are taken."""
    extractors: tuple[str, ...]
    out: Path
    rating_scale: tuple[float, float]
    frames: int = 16
    as_preferences: bool = False
    """Fit ratings as preferences between clips of one group."""
    group_by: GroupBy = "first-frame"
    options: FitOptions = field(default_factory=FitOptions)
    cache: Path | None = None
    """Where features are kept; None keeps none."""
    workers: int = 1
    show_progress: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFolder:
    """A head that was written."""

    fit: HeadFit
    config: HeadConfig
    computed: int
    """Clips whose features were not kept from before."""


def fit_head_of_clips(request: FitRequest) -> FittedFolder:
    """Compute the features of the judged clips, fit a head and write it.

    Raises:
        DataError: A judged clip is not there, or too few of them.
        ConfigError: An extractor gives no vector, needs what the items lack, or the folder holds something else.
        WeightsMissing: Weight files of an extractor are not there.
        MissingExtra: An extractor needs packages that are not installed.
    """
    used = _extractors(request.extractors)
    clips = judged_clips(request.judgements.clips, dict(request.clips))
    requests = feature_requests(request.extractors, request.frames)
    vectors, first_frames, computed = _vectors(request, clips, requests)
    kept = _kept(vectors)
    groups = groups_of({key: clips[key] for key in kept}, first_frames, by=request.group_by)
    names = [groups[key] for key in kept]
    features = np.stack([vectors[key] for key in kept])
    rows = {key: at for at, key in enumerate(kept)}
    judgements = request.judgements
    ratings = {rating.clip: rating.value for rating in judgements.ratings}
    if judgements.preferences:
        pairs: list[Pair] | None = [
            (rows[each.left], rows[each.right], each.outcome)
            for each in judgements.preferences
            if each.left in rows and each.right in rows
        ]
    elif request.as_preferences:
        pairs = _pairs_of_ratings([ratings[key] for key in kept], names)
    else:
        pairs = None
    if pairs is None:
        fit = fit_head(features, names, ratings=[ratings[key] for key in kept], options=request.options)
    else:
        fit = fit_head(features, names, pairs=pairs, options=request.options)
    untrained = next(
        (digest for each in used for digest in each.weights.values() if digest.startswith("untrained:")), None
    )
    config = HeadConfig(
        dimension=judgements.dimension,
        kind=fit.kind,
        rating_scale=request.rating_scale if fit.kind == "ratings" else None,
        extractors=used,
        frames=request.frames,
        pooling=POOLING,
        dimensions=features.shape[1],
        tie_threshold=fit.tie_threshold,
        tie_parameter=fit.tie_parameter,
        untrained=untrained,
        data={
            "file": request.ratings.name,
            "sha256": sha256_of_file(request.ratings),
            "rows": len(kept) if pairs is None else len(pairs),
            "clips": len(kept),
            "groups": len(set(names)),
            "left_out": len(vectors) - len(kept),
            "clips_digest": digest_of([[str(key), clips[key].clip.digest] for key in kept]),
            "group_rule": _RULES[request.group_by],
            "dropped_pairs": fit.dropped_pairs,
        },
        split={
            "seed": request.options.seed,
            "groups": {part: fit.quality[part].groups for part in PARTS},
            "clips": {str(key): part for key, part in zip(kept, fit.parts, strict=True)},
        },
        fit={**asdict(request.options), "steps_kept": fit.steps, "stopped_early": fit.stopped_early},
        quality={part: quality_data(fit.quality[part]) for part in PARTS},
        head_sha256="",
    )
    written = write_head(request.out, fit.head, config, model_card(config, fit, command=request.command))
    return FittedFolder(fit=fit, config=written, computed=computed)


def _extractors(names: Sequence[str]) -> tuple[ExtractorUsed, ...]:
    found = []
    for name in names:
        info = registry("extractors").create(name).info
        if info.name != name:
            raise ConfigError(
                f"`--features` got {name!r}; expected a plain name of an extractor, such as {info.name!r}."
            )
        require_extra(info, "`--features`")
        entries = [entry_of(weight) for weight in info.weights]
        found.append(
            ExtractorUsed(
                name=info.name,
                version=info.version,
                preprocess=info.preprocess,
                weights=digests_of(info.weights),
                licences={entry.name: entry.licence for entry in entries},
                commercial_use=all(entry.commercial_use for entry in entries),
            )
        )
    return tuple(found)


def _vectors(
    request: FitRequest, clips: Mapping[ClipKey, Generation], requests: Sequence[FeatureRequest]
) -> tuple[dict[ClipKey, NDArray[np.float32]], dict[ClipKey, str], int]:
    """Return the vector and the digest of the first frame of each clip, and how many clips were not in the cache."""
    weights = {name: digest for each in _extractors(request.extractors) for name, digest in each.weights.items()}
    pool = DecoderPool(processes=2 * request.workers)
    cache = FeatureCache(request.cache) if request.cache is not None else None
    vectors: dict[ClipKey, NDArray[np.float32]] = {}
    first_frames: dict[ClipKey, str] = {}

    def work(item: tuple[ClipKey, Generation]) -> tuple[ClipKey, NDArray[np.float32], str]:
        key, clip = item
        return key, clip_vector(clip, requests, store), first_frame_digest(pool, clip)

    with (
        FeatureStore(pool=pool, requests=requests, cache=cache, weights=weights) as store,
        _bar(request, len(clips)) as advance,
    ):
        for key, vector, digest in map_unordered(work, list(clips.items()), workers=request.workers):
            vectors[key], first_frames[key] = vector, digest
            advance()
        computed = store.counters.cache_misses if cache is not None else len(clips)
    sizes = sorted({len(vector) for vector in vectors.values()})
    if len(sizes) > 1:
        raise ConfigError(
            f"`--features` give {sizes} numbers for different clips; expected one number of them; choose extractors "
            "that say as much of every clip."
        )
    return {key: vectors[key] for key in sorted(vectors)}, first_frames, computed


def _bar(request: FitRequest, total: int) -> Any:  # noqa: ANN401 - a context manager
    advance: Any = progress("features", total, shown=request.show_progress)
    return advance


def _kept(vectors: Mapping[ClipKey, NDArray[np.float32]]) -> list[ClipKey]:
    kept = [key for key, vector in vectors.items() if np.isfinite(vector).all()]
    if not kept:
        raise DataError("No judged clip has finite features; choose other --features, such as efficientnet_lite0.")
    return kept


def _pairs_of_ratings(ratings: Sequence[float], groups: Sequence[str]) -> list[Pair]:
    """Return all pairs of clips of one group, with what their ratings say."""
    members: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        members.setdefault(group, []).append(at)
    return [
        (left, right, (ratings[left] > ratings[right]) - (ratings[left] < ratings[right]))
        for rows in members.values()
        for place, left in enumerate(rows)
        for right in rows[place + 1 :]
    ]
