"""The feature store: one decode for the whole plan, equal windows once, a cache that can be trusted."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from counting_extractors import Broken, Busy, Difference, MeanLevel, PromptLength

from anisora.harness.cache import FeatureCache
from anisora.harness.errors import MetricError, VideoUnreadable
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import FeatureRequest
from anisora.harness.registry import Registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Condition, FrameArray, Frames, FrameSampling, Generation, Image, Sample

ALL = FrameSampling()


def noise(count: int, *, seed: int = 0, height: int = 24, width: int = 32) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def in_memory(frames: Frames, **sample: object) -> Generation:
    return Generation(sample=Sample(id="a", **sample), clip=FrameArray(frames=frames, fps=8.0), model="m")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pool() -> DecoderPool:
    return DecoderPool(processes=2)


@pytest.fixture
def on_disk(tmp_path: Path, pool: DecoderPool) -> Callable[..., Generation]:
    def make(frames: Frames, name: str = "clip", **sample: object) -> Generation:
        path = tmp_path / f"{name}.mkv"
        pool.encode(frames, fps=8.0, path=path)
        clip = Clip(path=path, digest=sha256_of_file(path))
        return Generation(sample=Sample(id=name, **sample), clip=clip, model="m")  # type: ignore[arg-type]

    return make


def test_one_decode_feeds_every_extractor_of_the_plan(pool: DecoderPool, on_disk: Callable[..., Generation]) -> None:
    frames = noise(7)
    one, pair, few = MeanLevel(), MeanLevel(name="pair", window=2), MeanLevel(name="few")
    middle = FrameSampling(mode="middle", count=3)
    requests = [
        FeatureRequest(extractor="mean_level"),
        FeatureRequest(extractor="pair"),
        FeatureRequest(extractor="few", sampling=middle),
    ]
    store = FeatureStore(pool=pool, requests=requests, extractors={e.info.name: e for e in (one, pair, few)})
    item, before = on_disk(frames), pool.decodes
    levels = store.get(item, "mean_level", ALL)["level"]
    assert np.array_equal(levels[:, 0], frames.mean(axis=(1, 2, 3)))
    assert store.get(item, "pair", ALL)["level"].shape == (6, 2)
    assert len(store.get(item, "few", middle)["level"]) == 3
    assert store.stream(item).num_frames == 7
    assert pool.decodes - before == 1
    assert few.indices == [[0], [2], [5]]
    assert pair.indices == [[place, place + 1] for place in range(6)]


def test_frames_with_equal_bytes_are_computed_once(pool: DecoderPool) -> None:
    drawings = noise(3)
    frames = drawings[[0, 0, 1, 1, 0, 2, 2]]
    one, pair = MeanLevel(), MeanLevel(name="pair", window=2)
    store = FeatureStore(pool=pool, extractors={"mean_level": one, "pair": pair})
    item = in_memory(frames)
    levels = store.get(item, "mean_level", ALL)["level"][:, 0]
    assert np.array_equal(levels, frames.mean(axis=(1, 2, 3)))
    assert len(one.shapes) == 3
    store.get(item, "pair", ALL)
    assert len(pair.shapes) == 6  # 00 01 11 10 02 22: each pair of drawings once
    assert store.counters.shared_windows == 4


def test_batches_have_one_shape_and_padding_leaves_no_trace(pool: DecoderPool) -> None:
    frames = noise(7)
    batched = MeanLevel(batch_size=4)
    store = FeatureStore(pool=pool, extractors={"mean_level": batched})
    levels = store.get(in_memory(frames), "mean_level", ALL)["level"][:, 0]
    assert set(batched.shapes) == {(4, 1, 24, 32, 3)}
    assert np.array_equal(levels, frames.mean(axis=(1, 2, 3)))
    assert store.counters.forwards == {"mean_level": 7}


@pytest.mark.parametrize(
    ("window", "stride", "starts"),
    [(3, 1, range(5)), (3, 2, range(0, 5, 2)), (2, 3, range(0, 6, 3)), (8, 1, []), (0, 1, [0])],
)
def test_windows_slide_by_their_stride_across_pieces(
    pool: DecoderPool, window: int, stride: int, starts: list[int]
) -> None:
    from anisora.harness.protocols import ExtractorInfo
    from anisora.harness.types import StreamInfo
    from anisora.harness.windows import WindowQueue

    extractor = MeanLevel(window=window, stride=stride)
    assert isinstance(extractor.info, ExtractorInfo)
    frames = noise(7)
    for sizes in ([7], [1] * 7, [3, 4], [2, 2, 3]):
        extractor.indices.clear()
        queue = WindowQueue(FeatureRequest(extractor="mean_level"), extractor.info, extractor.extract)
        queue.start(StreamInfo(fps=8, num_frames=7, height=24, width=32, codec="", pixel_format=""))
        position = 0
        for size in sizes:
            piece = frames[position : position + size].copy()
            queue.push(np.arange(position, position + size), piece, None, {})
            piece[:] = 0  # a decoder's memory is used again
            position += size
        queue.finish()
        length = window or 7
        assert extractor.indices == [list(range(start, start + length)) for start in starts]
        if extractor.indices:
            expected = [frames[start : start + length].mean(axis=(1, 2, 3)) for start in starts]
            assert np.array_equal(queue.features()["level"], np.stack(expected))
        else:
            assert queue.features() == {}


def test_the_ground_truth_is_read_in_step_and_only_as_far_as_both_exist(
    pool: DecoderPool, on_disk: Callable[..., Generation]
) -> None:
    truth = on_disk(noise(5, seed=1), "truth").clip
    frames = noise(7, seed=2)
    item = on_disk(frames, "made", ground_truth=truth)
    first, second = Difference(), Difference(name="again")
    store = FeatureStore(
        pool=pool,
        extractors={"difference": first, "again": second},
        requests=[FeatureRequest(extractor="difference"), FeatureRequest(extractor="again")],
    )
    before = pool.decodes
    gap = store.get(item, "difference", ALL)
    expected = np.abs(frames[:5].astype(int) - noise(5, seed=1).astype(int)).mean(axis=(1, 2, 3))
    assert np.array_equal(gap["gap"], expected)
    assert gap["fps"].tolist() == [8.0] * 5
    assert np.array_equal(store.get(item, "again", ALL)["gap"], expected)
    assert pool.decodes - before == 2


def test_a_clip_compared_with_itself_is_decoded_once(pool: DecoderPool, on_disk: Callable[..., Generation]) -> None:
    truth = on_disk(noise(5), "truth").clip
    item = Generation(sample=Sample(id="truth", ground_truth=truth), clip=truth, model="ground-truth")  # type: ignore[arg-type]
    store = FeatureStore(pool=pool, extractors={"difference": Difference()})
    before = pool.decodes
    assert store.get(item, "difference", ALL)["gap"].tolist() == [0.0] * 5
    assert pool.decodes - before == 1


def test_an_unreadable_ground_truth_costs_only_the_metrics_that_compare(
    pool: DecoderPool, on_disk: Callable[..., Generation], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    item = on_disk(noise(3), "made", ground_truth=Clip(path=bad, digest="0"))
    extractors = {"difference": Difference(), "again": Difference(name="again"), "mean_level": MeanLevel()}
    store = FeatureStore(pool=pool, extractors=extractors, requests=[FeatureRequest(extractor=e) for e in extractors])
    assert len(store.get(item, "mean_level", ALL)["level"]) == 3
    for name in ("difference", "again"):
        with pytest.raises(VideoUnreadable, match=r"bad\.mp4` cannot be read"):
            store.get(item, name, ALL)


def test_one_broken_extractor_costs_the_others_nothing(pool: DecoderPool) -> None:
    extractors = {"mean_level": MeanLevel(), "broken": Broken(name="broken")}
    store = FeatureStore(pool=pool, extractors=extractors, requests=[FeatureRequest(extractor=e) for e in extractors])
    item = in_memory(noise(2))
    assert len(store.get(item, "mean_level", ALL)["level"]) == 2
    with pytest.raises(MetricError, match="Extractor `broken` failed on item 'a': ZeroDivisionError"):
        store.get(item, "broken", ALL)


def test_an_unreadable_clip_is_tried_once(pool: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(b"nothing")
    store = FeatureStore(pool=pool, extractors={"mean_level": MeanLevel()})
    item = Generation(sample=Sample(id="bad"), clip=Clip(path=path, digest="0"), model="m")
    for _ in range(2):
        with pytest.raises(VideoUnreadable, match="cannot be read"):
            store.stream(item)


def test_features_on_disk_need_no_decode_and_no_forward(
    pool: DecoderPool, on_disk: Callable[..., Generation], tmp_path: Path
) -> None:
    item, request = on_disk(noise(4)), FeatureRequest(extractor="mean_level")
    made = FeatureStore(
        pool=pool, requests=[request], cache=FeatureCache(tmp_path / "cache"), extractors={"mean_level": MeanLevel()}
    )
    fresh = made.get(item, "mean_level", ALL)["level"]
    before = pool.decodes
    extractor = MeanLevel()
    kept = FeatureStore(
        pool=pool, requests=[request], cache=FeatureCache(tmp_path / "cache"), extractors={"mean_level": extractor}
    )
    again = kept.get(item, "mean_level", ALL)["level"]
    assert again.tobytes() == fresh.tobytes()
    assert kept.stream(item) == made.stream(item)
    assert pool.decodes == before
    assert extractor.shapes == []
    assert kept.counters.cache_hits == 2


@pytest.mark.parametrize(
    "other",
    [{"version": 2}, {"preprocess": "other"}, {"batch_size": 2}, {"window": 2}, {"needs": frozenset({"prompt"})}],
)
def test_whatever_can_change_a_number_is_part_of_the_key(
    pool: DecoderPool, tmp_path: Path, other: dict[str, object]
) -> None:
    item, cache = in_memory(noise(4), prompt="a girl waves"), FeatureCache(tmp_path)
    FeatureStore(pool=pool, cache=cache, extractors={"mean_level": MeanLevel()}).get(item, "mean_level", ALL)
    changed = MeanLevel(**other)  # type: ignore[arg-type]
    FeatureStore(pool=pool, cache=cache, extractors={"mean_level": changed}).get(item, "mean_level", ALL)
    assert changed.shapes


def test_other_weights_are_other_features(pool: DecoderPool, tmp_path: Path) -> None:
    item, cache = in_memory(noise(2)), FeatureCache(tmp_path)
    for digest, computed in (("aa", True), ("bb", True), ("aa", False)):
        extractor = MeanLevel(weights=("net",))
        store = FeatureStore(pool=pool, cache=cache, extractors={"mean_level": extractor}, weights={"net": digest})
        store.get(item, "mean_level", ALL)
        assert bool(extractor.shapes) is computed


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:50] + b"\0\1" + b[52:], lambda _: b"", lambda b: b[:20]]
)
def test_a_damaged_entry_is_found_and_computed_again(
    pool: DecoderPool, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    item = in_memory(noise(4))
    FeatureStore(pool=pool, cache=FeatureCache(tmp_path), extractors={"mean_level": MeanLevel()}).get(
        item, "mean_level", ALL
    )
    entries = sorted(tmp_path.rglob("*.features"))
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    extractor, cache = MeanLevel(), FeatureCache(tmp_path)
    store = FeatureStore(pool=pool, cache=cache, extractors={"mean_level": extractor})
    assert len(store.get(item, "mean_level", ALL)["level"]) == 4
    assert len(extractor.shapes) == 4
    assert store.counters.cache_damaged == 2
    for entry in entries:  # written anew
        assert hashlib.sha256(entry.read_bytes()[40:]).digest() == entry.read_bytes()[8:40]


@pytest.mark.parametrize("action", ["enospc", "erofs"])
def test_a_cache_that_cannot_be_written_costs_nothing_but_itself(
    pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setenv("ANISORA_FAILPOINT", f"cache.before_write:{action}")
    store = FeatureStore(pool=pool, cache=FeatureCache(tmp_path / "c"), extractors={"mean_level": MeanLevel()})
    assert len(store.get(in_memory(noise(4)), "mean_level", ALL)["level"]) == 4
    assert store.counters.cache_write_failures == 2
    assert not list(tmp_path.rglob("*.features"))


def test_what_follows_from_the_inputs_alone_is_computed_once_for_all_clips_of_a_size(
    pool: DecoderPool, tmp_path: Path
) -> None:
    once = FrameSampling(mode="uniform", count=1)
    extractor = PromptLength()

    def length_of(frames: Frames, prompt: str, sampling: FrameSampling = once, *, cache: bool = True) -> list[int]:
        found = FeatureCache(tmp_path / "cache") if cache else None
        store = FeatureStore(pool=pool, cache=found, extractors={"prompt_length": extractor, "mean_level": MeanLevel()})
        item = in_memory(frames, prompt=prompt)
        assert len(store.get(item, "mean_level", ALL)["level"]) == len(frames)
        features = store.get(item, "prompt_length", sampling)["length"]
        assert store.stream(item).num_frames == len(frames)
        return [int(number) for number in features[0]]

    assert length_of(noise(3), "abc") == [3, 24]
    assert length_of(noise(5, seed=1), "abc") == [3, 24]
    assert len(extractor.shapes) == 1
    assert length_of(noise(3, height=26), "abc") == [3, 26]
    assert length_of(noise(3), "abcd") == [4, 24]
    assert len(extractor.shapes) == 3
    # As many rows as frames belong to one clip, and without a cache nothing is kept.
    assert length_of(noise(3, seed=2), "abc", ALL) == [3, 24]
    assert length_of(noise(4, seed=3), "abc", ALL) == [3, 24]
    assert length_of(noise(3), "abc", cache=False) == [3, 24]
    assert len(extractor.shapes) == 11


def test_conditioning_images_reach_the_extractors_that_ask(pool: DecoderPool, tmp_path: Path) -> None:
    from PIL import Image as Picture

    seen = []

    class Looking(MeanLevel):
        def extract(self, batch):  # type: ignore[no-untyped-def]
            seen.append((batch.indices.tolist(), [(position, image.shape) for position, image in batch.images]))
            return super().extract(batch)

    path = tmp_path / "last.png"
    Picture.fromarray(noise(1)[0]).save(path)
    condition = Condition(keyframes=((1.0, Image(path=path, digest=sha256_of_file(path))),))
    store = FeatureStore(pool=pool, extractors={"looking": Looking(name="looking", needs=frozenset({"keyframes"}))})
    store.get(in_memory(noise(5), condition=condition), "looking", FrameSampling(mode="keyframes"))
    assert seen == [([[4]], [(1.0, (24, 32, 3))])]


def test_several_threads_share_one_store(pool: DecoderPool, on_disk: Callable[..., Generation]) -> None:
    items = [on_disk(noise(6, seed=place), f"clip{place}") for place in range(6)]
    store = FeatureStore(pool=pool, extractors={"mean_level": MeanLevel()}, remembered_clips=2)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda item: store.get(item, "mean_level", ALL)["level"][:, 0], items * 2))
    for place, levels in enumerate(results):
        assert np.array_equal(levels, noise(6, seed=place % 6).mean(axis=(1, 2, 3)))


def test_a_network_takes_one_caller_at_a_time_and_a_small_one_has_a_copy_for_each(
    pool: DecoderPool, on_disk: Callable[..., Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [on_disk(noise(6, seed=place), f"clip{place}") for place in range(6)]
    levels = {}
    for copied, most in ((False, 1), (True, 2)):
        busy = Busy(weights=("some",), copied_per_worker=copied)
        monkeypatch.setattr(Registry, "create", lambda *_, busy=busy: busy.copy())
        store = FeatureStore(pool=pool)
        with ThreadPoolExecutor(2) as threads:
            found = threads.map(lambda item, store=store: store.get(item, "busy", ALL)["level"][:, 0], items)
            levels[copied] = np.concatenate(list(found))
        assert busy.most_at_once == most
        assert busy.most_in_one_copy == 1
        assert len(busy.copies) <= most
    assert np.array_equal(levels[True], levels[False])


def test_memory_is_bounded_by_the_clips_remembered(pool: DecoderPool) -> None:
    store = FeatureStore(pool=pool, extractors={"mean_level": MeanLevel()}, remembered_clips=3)
    for seed in range(8):
        store.get(in_memory(noise(2, seed=seed)), "mean_level", ALL)
    assert len(store._entries) == 3


def test_a_file_and_its_frames_give_the_same_bits(pool: DecoderPool, on_disk: Callable[..., Generation]) -> None:
    frames = noise(5, height=31, width=27)
    store = FeatureStore(pool=pool, extractors={"mean_level": MeanLevel()})
    from_disk = store.get(on_disk(frames), "mean_level", ALL)["level"]
    assert from_disk.tobytes() == store.get(in_memory(frames), "mean_level", ALL)["level"].tobytes()
    assert os.environ.get("OMP_NUM_THREADS", "1") == "1"
