"""That region masks reach the extractors that ask for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_extractors import MeanLevel
from metric_clips import translating
from metric_tester import Case, MemoryFeatures
from numpy.typing import NDArray
from PIL import Image as PillowImage
from stored_cases import written

from anisora.harness.cache import FeatureCache
from anisora.harness.errors import MetricError, VideoUnreadable
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch, FeatureRequest
from anisora.harness.registry import registry
from anisora.harness.stages.score import score_one
from anisora.harness.types import Condition, FrameArray, FrameSampling, Generation, Sample

ALL = FrameSampling()


class Looking(MeanLevel):
    """Keeps the masks it is given."""

    def __init__(self, **info: Any) -> None:
        super().__init__(**info)
        self.masks: list[NDArray[np.bool_] | None] = []

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        self.masks.append(batch.region_mask)
        return super().extract(batch)


@pytest.fixture(scope="module")
def pool() -> DecoderPool:
    return DecoderPool()


def masked(mask: Path | None) -> Generation:
    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    sample = Sample(id="a", condition=Condition(region_mask=mask))
    return Generation(sample=sample, clip=FrameArray(frames=frames, fps=8.0), model="m")


def store_with(pool: DecoderPool, looking: Looking, cache: FeatureCache | None = None) -> FeatureStore:
    return FeatureStore(pool=pool, cache=cache, extractors={"looking": looking, "mean_level": MeanLevel()})


def test_the_mask_comes_at_its_own_size_and_is_true_where_it_is_light(pool: DecoderPool, tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0] = 255
    pixels[1] = 128
    pixels[2] = 127
    pixels[3, :3] = (255, 255, 0)
    pixels[3, 3:] = (255, 127, 0)
    PillowImage.fromarray(pixels).save(tmp_path / "mask.png")
    looking = Looking(name="looking", needs=frozenset({"region_mask"}))
    store_with(pool, looking).get(masked(tmp_path / "mask.png"), "looking", ALL)
    assert len(looking.masks) == 3
    for mask in looking.masks:
        assert mask is not None
        assert mask.dtype == np.bool_
        assert mask.astype(int).tolist() == [[1] * 6, [1] * 6, [0] * 6, [1, 1, 1, 0, 0, 0]]


def test_who_does_not_ask_gets_no_mask(pool: DecoderPool, tmp_path: Path) -> None:
    PillowImage.fromarray(np.full((4, 4), 255, np.uint8)).save(tmp_path / "mask.png")
    looking = Looking(name="looking")
    store_with(pool, looking).get(masked(tmp_path / "mask.png"), "looking", ALL)
    assert looking.masks == [None] * 3


def test_an_item_without_a_mask_costs_only_those_who_need_one(pool: DecoderPool) -> None:
    looking = Looking(name="looking", needs=frozenset({"region_mask"}))
    requests = [FeatureRequest(extractor="looking"), FeatureRequest(extractor="mean_level")]
    store = FeatureStore(pool=pool, requests=requests, extractors={"looking": looking, "mean_level": MeanLevel()})
    assert len(store.get(masked(None), "mean_level", ALL)["level"]) == 3
    with pytest.raises(MetricError, match="Item 'a' has no region mask"):
        store.get(masked(None), "looking", ALL)
    assert looking.masks == []


def test_an_unreadable_mask_costs_only_those_who_need_it(pool: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"no image")
    looking = Looking(name="looking", needs=frozenset({"region_mask"}))
    store = store_with(pool, looking)
    with pytest.raises(VideoUnreadable, match=r"mask\.png"):
        store.get(masked(path), "looking", ALL)
    assert len(store.get(masked(path), "mean_level", ALL)["level"]) == 3


def test_another_mask_is_another_key_for_those_who_need_it(pool: DecoderPool, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    counts = []
    for level in (0, 255, 255):
        PillowImage.fromarray(np.full((4, 4), level, np.uint8)).save(tmp_path / "mask.png")
        looking = Looking(name="looking", needs=frozenset({"region_mask"}))
        store_with(pool, looking, cache).get(masked(tmp_path / "mask.png"), "looking", ALL)
        counts.append(len(looking.masks))
    assert counts == [3, 3, 0]


@pytest.mark.parametrize("name", ["region_motion_ratio", "region_leakage"])
def test_files_score_as_the_frames_and_the_mask_in_memory_do(name: str, pool: DecoderPool, tmp_path: Path) -> None:
    mask = np.zeros((24, 32), np.bool_)
    mask[4:20, 6:14] = True
    clip = translating(shift=(2, 1), num_frames=5)
    frames = clip.frames.copy()
    frames[:, :, 32:] = frames[0, :, 32:]
    case = Case(name="masked", clip=FrameArray(frames=frames, fps=24.0), region_mask=mask)
    metric = registry("metrics").create(name)
    expected = score_one(metric, case.item, MemoryFeatures(case))
    assert expected.value
    assert score_one(metric, written(case, tmp_path, pool), FeatureStore(pool=pool)) == expected
