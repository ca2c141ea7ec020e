"""The feature store: one decode of a clip feeds every extractor of the plan.

It is the only owner of extractors. Frames reach them as windows that are gone when the call returns; what they return
is small and is kept in memory for the clip at hand and on disk under a key made of everything that can change it.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anisora.harness.cache import FeatureCache
from anisora.harness.device import compute_device
from anisora.harness.errors import AnisoraError, MetricError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch, FeatureExtractor, FeatureRequest, Features
from anisora.harness.record import Counters, digest_of
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.shared_batches import SharedBatches, extract_padded
from anisora.harness.types import Clip, Frames, FrameSampling, Generation, StreamInfo
from anisora.harness.windows import FrameFeed, WindowQueue

__all__ = ["FeatureStore"]

_log = logging.getLogger(__name__)

_STREAM = FeatureRequest(extractor="stream")
"""Frame rate, size and length are remembered like a feature: a clip whose features are all cached is not opened."""


@dataclass(slots=True)
class _Entry:
    """What is known of one clip: features by request, or why there are none."""

    lock: threading.Lock
    features: dict[FeatureRequest, Features]
    failures: dict[FeatureRequest, Exception]
    stream: StreamInfo | None = None
    unreadable: Exception | None = None


class FeatureStore:
    """Decodes, extracts, remembers. Safe to use from several threads, each at its own clip."""

    def __init__(
        self,
        *,
        pool: DecoderPool,
        requests: Collection[FeatureRequest] = (),
        cache: FeatureCache | None = None,
        weights: Mapping[str, str] | None = None,
        extractors: Mapping[str, FeatureExtractor] | None = None,
        remembered_clips: int = 16,
    ) -> None:
        """Take the plan and the places to work with.

        Args:
            pool: Where clips are decoded.
            requests: The plan: what is computed together when a clip is decoded.
            cache: Where features are kept between runs; None keeps them in memory only.
            weights: {ledger name: digest} of the weights in use, part of the cache keys.
            extractors: Extractors by name, for those that are not in the registry.
            remembered_clips: Clips whose features stay in memory.
        """
        self.pool = pool
        self._requests = tuple(dict.fromkeys(requests))
        self._cache = cache
        self._weights = dict(weights or {})
        self._extractors: dict[str, FeatureExtractor] = dict(extractors or {})
        self._given = frozenset(self._extractors)
        self._idle: dict[str, list[FeatureExtractor]] = {}
        self._remembered = remembered_clips
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._shared: dict[str, SharedBatches] = {}
        self._counts: dict[str, int] = dict.fromkeys(
            ("redecodes", "frames", "shared_windows", "cache_hits", "cache_misses"), 0
        )
        self._forwards: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Use as a context manager; leaving closes the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the decoder pool."""
        self.pool.close()

    def part(self, requests: Collection[FeatureRequest]) -> "FeatureStore":
        """Return a store for a part of the plan: with this one's decoder and cache, and a memory of its own.

        Its extractors go when it goes, but for those that were handed in. Leaving it as a context closes the decoder.
        """
        return FeatureStore(
            pool=self.pool,
            requests=requests,
            cache=self._cache,
            weights=self._weights,
            extractors={name: self._extractors[name] for name in self._given},
            remembered_clips=self._remembered,
        )

    @property
    def counters(self) -> Counters:
        """The work done so far."""
        with self._lock:
            return Counters(
                decodes=self.pool.decodes,
                forwards=dict(sorted(self._forwards.items())),
                cache_damaged=self._cache.damaged if self._cache else 0,
                cache_write_failures=self._cache.write_failures if self._cache else 0,
                **self._counts,
            )

    def extractor(self, name: str) -> FeatureExtractor:
        """Return an extractor, made once."""
        with self._lock:
            if name not in self._extractors:
                self._extractors[name] = registry("extractors").create(name)
            return self._extractors[name]

    def get(self, item: Generation, extractor: str, sampling: FrameSampling) -> Features:
        """Return the features of a clip, decoding it at most once for all requests of the plan.

        Raises:
            VideoUnreadable: The clip, or an input that the extractor needs, cannot be decoded.
            MetricError: The extractor failed on this clip.
        """
        request = FeatureRequest(extractor=extractor, sampling=sampling)
        entry = self._ready(item, request)
        if request in entry.failures:
            raise entry.failures[request]
        return entry.features[request]

    def stream(self, item: Generation) -> StreamInfo:
        """Return frame rate, size and length of a clip.

        Raises:
            VideoUnreadable: The clip cannot be decoded.
        """
        entry = self._ready(item, _STREAM)
        assert entry.stream is not None
        return entry.stream

    def _ready(self, item: Generation, request: FeatureRequest) -> _Entry:
        identity = digest_of(self._identity(item, needs=("ground_truth", "keyframes", "prompt", "region_mask")))
        with self._lock:
            entry = self._entries.setdefault(identity, _Entry(threading.Lock(), {}, {}))
            self._entries.move_to_end(identity)
            while len(self._entries) > self._remembered:
                self._entries.popitem(last=False)
        with entry.lock:
            known = entry.stream is not None and (request is _STREAM or request in entry.features)
            if not known and request not in entry.failures and entry.unreadable is None:
                self._fill(item, entry, tuple(dict.fromkeys((*self._requests, request))))
            if entry.unreadable is not None:
                raise entry.unreadable
        return entry

    def _identity(self, item: Generation, needs: Collection[str]) -> dict[str, Any]:
        clip, condition, truth = item.clip, item.sample.condition, item.sample.ground_truth
        options = self.pool.options
        identity: dict[str, Any] = {"clip": clip.digest, "fps": clip.fps, "decode": options.colour}
        if isinstance(clip, Clip):
            identity["decoder"] = options.backend
        if "ground_truth" in needs and truth is not None:
            identity["ground_truth"] = [truth.digest, truth.fps]
        if "keyframes" in needs:
            identity["keyframes"] = [[position, image.digest] for position, image in condition.keyframes]
        if "prompt" in needs:
            identity["prompt"] = item.sample.prompt
        if "region_mask" in needs:
            mask = condition.region_mask
            identity["region_mask"] = sha256_of_file(mask) if mask else None
        return identity

    def _key(self, item: Generation, request: FeatureRequest, stream: StreamInfo | None) -> str:
        if request is _STREAM:
            return digest_of({"extractor": "stream", "version": 1, **self._identity(item, needs=())})
        info = self.extractor(request.extractor).info
        needs = set(info.needs) | ({"keyframes"} if request.sampling.mode == "keyframes" else set())
        device = {"device": compute_device().kind} if info.runs_on_devices else {}
        identity = self._identity(item, needs=needs)
        if self.follows_from_inputs(request):
            assert stream is not None
            identity = {name: identity[name] for name in sorted(needs)} | {"size": [stream.height, stream.width]}
        return digest_of(
            {
                **device,
                "extractor": info.name,
                "version": info.version,
                "window": info.window,
                "stride": info.stride,
                "batch_size": info.batch_size,
                "preprocess": info.preprocess,
                "sampling": request.sampling.id,
                "weights": {name: self._weights.get(name, "") for name in info.weights},
                **identity,
            }
        )

    def _fill(self, item: Generation, entry: _Entry, requests: Iterable[FeatureRequest]) -> None:
        if entry.stream is None and (cached := self.cached(item, _STREAM)) is not None:
            entry.stream = _stream_of(cached)
        missing = []
        for request in requests:
            if request is _STREAM or request in entry.features or request in entry.failures:
                continue
            cached = self.cached(item, request, entry.stream)
            if cached is None:
                missing.append(request)
            else:
                entry.features[request] = cached
        if not missing and entry.stream is not None:
            return
        try:
            entry.stream, features, failures = self._compute(item, missing)
        except AnisoraError as error:
            entry.unreadable = error
            return
        entry.features.update(features)
        entry.failures.update(failures)
        if self._cache is not None:
            self._cache.write(self._key(item, _STREAM, None), _arrays_of(entry.stream))
            for request, arrays in features.items():
                self._cache.write(self._key(item, request, entry.stream), arrays)

    def cached(self, item: Generation, request: FeatureRequest, stream: StreamInfo | None = None) -> Features | None:
        """Return the features that are kept on disk, or None.

        Args:
            item: The clip.
            request: Which.
            stream: What the clip is, where that is known; what follows from its inputs alone is looked up by its size.
        """
        if self._cache is None or (stream is None and self.follows_from_inputs(request)):
            return None
        found = self._cache.read(self._key(item, request, stream))
        with self._lock:
            self._counts["cache_misses" if found is None else "cache_hits"] += 1
        return found

    def follows_from_inputs(self, request: FeatureRequest) -> bool:
        """Return whether all clips with the same inputs, and frames of the same size, have the same features."""
        if request is _STREAM or request.sampling.count != 1:
            return False
        return self.extractor(request.extractor).info.reads == "inputs"

    def _compute(
        self, item: Generation, requests: list[FeatureRequest]
    ) -> tuple[StreamInfo, dict[FeatureRequest, Features], dict[FeatureRequest, Exception]]:
        """Decode a clip once and run it through every extractor that asks for it."""
        pass_ = _Pass(self, item, requests)
        stream = pass_.run(num_frames=None)
        if pass_.expected_frames != stream.num_frames and pass_.depends_on_length:
            # The container's count was wrong, so the frames chosen by it were: choose again with the true one.
            pass_ = _Pass(self, item, requests)
            stream = pass_.run(num_frames=stream.num_frames)
            with self._lock:
                self._counts["redecodes"] += 1
        with self._lock:
            self._counts["frames"] += pass_.frames
            for queue in pass_.queues:
                name = queue.info.name
                self._forwards[name] = self._forwards.get(name, 0) + queue.forwards
                self._counts["shared_windows"] += queue.shared
        features = {queue.request: queue.features() for queue in pass_.queues if queue.failure is None}
        failures = {queue.request: queue.failure for queue in pass_.queues if queue.failure is not None}
        return stream, features, failures | pass_.failures

    def call(self, name: str, batch: Batch) -> dict[str, NDArray[Any]]:
        """Run an extractor; networks take one caller at a time, or each caller has a copy."""
        extractor = self.extractor(name)
        if not extractor.info.weights:
            return extract_padded(extractor, batch)
        # One that was handed in has no maker to ask for another.
        if extractor.info.copied_per_worker and name not in self._given:
            return self._call_copy(name, batch)
        with self._lock:
            shared = self._shared.setdefault(name, SharedBatches(extractor))
        return shared.extract(batch)

    def _call_copy(self, name: str, batch: Batch) -> dict[str, NDArray[Any]]:
        with self._lock:
            idle = self._idle.setdefault(name, [self._extractors[name]])
            copy = idle.pop() if idle else None
        copy = copy or registry("extractors").create(name)
        try:
            return extract_padded(copy, batch)
        finally:
            with self._lock:
                idle.append(copy)


class _Pass:
    """One decoding of one clip, feeding the queues of several requests."""

    def __init__(self, store: FeatureStore, item: Generation, requests: list[FeatureRequest]) -> None:
        self.store, self.item = store, item
        self.failures: dict[FeatureRequest, Exception] = {}
        self.queues: list[WindowQueue] = []
        self.frames = 0
        self.expected_frames = 0
        self.depends_on_length = any(request.sampling.mode not in ("all", "stride") for request in requests)
        self._images: tuple[tuple[float, Frames], ...] | None = None
        self._mask: NDArray[np.bool_] | None = None
        for request in requests:
            self._add_queue(request)

    def _add_queue(self, request: FeatureRequest) -> None:
        info = self.store.extractor(request.extractor).info
        try:
            images = self._conditioning_images() if "keyframes" in info.needs else ()
            mask = self._region_mask() if "region_mask" in info.needs else None
        except AnisoraError as error:
            self.failures[request] = error
            return
        prompt = self.item.sample.prompt if "prompt" in info.needs else None

        def call(batch: Batch) -> dict[str, NDArray[Any]]:
            return self.store.call(request.extractor, replace(batch, images=images, prompt=prompt, region_mask=mask))

        self.queues.append(WindowQueue(request, info, call, positions=self.item.sample.condition.positions))

    def _conditioning_images(self) -> tuple[tuple[float, Frames], ...]:
        if self._images is None:
            keyframes = self.item.sample.condition.keyframes
            self._images = tuple((position, self.store.pool.read_image(image.path)) for position, image in keyframes)
        return self._images

    def _region_mask(self) -> NDArray[np.bool_]:
        """Return (h, w): True where the mean of the mask image's channels is in the upper half of 0..255."""
        if self._mask is None:
            path = self.item.sample.condition.region_mask
            if path is None:
                raise MetricError(f"Item {self.item.sample.id!r} has no region mask to measure motion by.")
            self._mask = self.store.pool.read_image(path).sum(axis=2, dtype=np.int64) >= 3 * 128
        return self._mask

    def run(self, num_frames: int | None) -> StreamInfo:
        """Decode the clip, with the ground truth in step where an extractor compares the two.

        Raises:
            VideoUnreadable: The clip cannot be decoded. Trouble with the ground truth is that request's failure.
        """
        with FrameFeed(self.store.pool, self.item.clip, self._choose, num_frames) as feed, self._reference() as truth:
            for indices, frames in feed:
                self.frames += len(frames)
                digests: dict[int, bytes] = {}
                for queue in self.queues:
                    if queue.failure is None:
                        self._push(queue, indices, frames, digests, truth)
            for queue in self.queues:
                self._guard(queue, queue.finish)
            return feed.info

    def _choose(self, expected: StreamInfo) -> NDArray[np.int64] | None:
        self.expected_frames = expected.num_frames
        for queue in self.queues:
            if self.store.follows_from_inputs(queue.request):
                known = self.store.cached(self.item, queue.request, expected)
                if known is not None:
                    queue.take_known(known)
        chosen = [queue.start(expected) for queue in self.queues]
        if not chosen:  # only length and size are asked for: every frame is decoded and none is shipped
            return np.empty(0, np.int64)
        if any(indices is None for indices in chosen):
            return None
        return np.unique(np.concatenate([indices for indices in chosen if indices is not None]))

    def _reference(self) -> "_Reference":
        needing = [queue for queue in self.queues if "ground_truth" in queue.info.needs]
        return _Reference(self.store.pool, self.item, needing)

    def _push(
        self,
        queue: WindowQueue,
        indices: NDArray[np.int64],
        frames: Frames,
        digests: dict[int, bytes],
        truth: "_Reference",
    ) -> None:
        def push() -> None:
            mine, own = queue.own_frames(indices, frames)
            reference = None
            if "ground_truth" in queue.info.needs:
                reference = truth.frames_at(mine, own)
                mine, own = mine[: len(reference)], own[: len(reference)]
                queue.reference_stream = truth.stream
            queue.push(mine, own, reference, digests)

        self._guard(queue, push)

    def _guard(self, queue: WindowQueue, action: Callable[[], None]) -> None:
        """Keep one extractor's failure from costing the others their features."""
        if queue.failure is not None:
            return
        try:
            action()
        except AnisoraError as error:
            queue.failure = error
        except Exception as error:
            _log.debug("extractor failed", exc_info=True)
            queue.failure = MetricError(
                f"Extractor `{queue.info.name}` failed on item {self.item.sample.id!r}: {type(error).__name__}: {error}"
            )
            queue.failure.__cause__ = error


class _Reference:
    """The ground truth, decoded in step with the clip and only as far as somebody compares."""

    def __init__(self, pool: DecoderPool, item: Generation, queues: list[WindowQueue]) -> None:
        self._pool, self._item, self._queues = pool, item, queues
        self._feed: FrameFeed | None = None
        self._unreadable: AnisoraError | None = None
        self._kept: OrderedDict[int, Frames] = OrderedDict()
        self.stream: StreamInfo | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._feed is not None:
            self._feed.__exit__(kind, error, trace)

    def frames_at(self, indices: NDArray[np.int64], frames: Frames) -> Frames:
        """Return the ground truth's frames at these indices, as far as it has them; they must not go back in time."""
        truth = self._item.sample.ground_truth
        if truth is None:
            raise MetricError(f"Item {self._item.sample.id!r} has no ground truth to compare with.")
        if truth.digest == self._item.clip.digest and truth.fps == self._item.clip.fps:
            self.stream = self._queues[0].stream
            return frames
        if self._unreadable is not None:
            raise self._unreadable
        try:
            return self._decoded(truth, indices)
        except AnisoraError as error:  # every extractor that compares is told, not only the first to ask
            self._unreadable = error
            raise

    def _decoded(self, truth: Clip, indices: NDArray[np.int64]) -> Frames:
        if self._feed is None:
            self._feed = FrameFeed(self._pool, truth, lambda _: None, None).__enter__()
            self.stream = self._feed.expected
        # Several comparing extractors may ask for the same frames, so the last ones are kept.
        oldest = int(indices[0]) if len(indices) else 0
        while self._kept and next(iter(self._kept)) < oldest - len(indices):
            self._kept.popitem(last=False)
        rows = []
        for index in indices.tolist():
            frame = self._kept.get(index)
            if frame is None:
                frame = self._advance_to(index)
            if frame is None:
                break
            rows.append(frame)
        height, width = self._feed.expected.height, self._feed.expected.width
        return np.stack(rows) if rows else np.empty((0, height, width, 3), np.uint8)

    def _advance_to(self, index: int) -> Frames | None:
        assert self._feed is not None
        for found, frame in self._feed.singly():
            if found == index:
                kept = frame.copy()  # the view is gone with the next window
                self._kept[found] = kept
                return kept
        return None


def _arrays_of(stream: StreamInfo) -> dict[str, NDArray[Any]]:
    text = np.frombuffer(f"{stream.codec}\n{stream.pixel_format}".encode(), np.uint8)
    numbers = np.array([stream.num_frames, stream.height, stream.width], np.int64)
    return {"fps": np.array([stream.fps]), "numbers": numbers, "text": text}


def _stream_of(arrays: Features) -> StreamInfo:
    codec, pixel_format = arrays["text"].tobytes().decode().split("\n")
    num_frames, height, width = arrays["numbers"].tolist()
    return StreamInfo(
        fps=float(arrays["fps"][0]),
        num_frames=num_frames,
        height=height,
        width=width,
        codec=codec,
        pixel_format=pixel_format,
    )
