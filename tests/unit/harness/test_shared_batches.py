"""Windows of several clips in one batch: nobody's numbers change, and one that fails takes no other with it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.registry import registry
from anisora.harness.shared_batches import SharedBatches, extract_padded
from anisora.harness.types import StreamInfo

STREAM = StreamInfo(fps=8.0, num_frames=9, height=4, width=6, codec="", pixel_format="")


INFO = ExtractorInfo(name="levels", version=1, window=1, batch_size=4, shares_batches=True, weights=("w",))


class Levels:
    """Mean level of each window; refuses dark ones, and waits where it is told to."""

    def __init__(self, **info: Any) -> None:
        self.info = replace(INFO, **info)
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        self.calls.append(len(np.unique(batch.frames.reshape(len(batch.frames), -1)[:, 0])))
        assert batch.frames.shape[0] == batch.indices.shape[0] == self.info.batch_size
        assert self.gate.wait(10)
        if batch.frames.min() == 0:
            raise MetricError(f"a dark window among {len(batch.frames)}")
        return {"level": batch.frames.mean(axis=(1, 2, 3, 4))}


def windows(*levels: int, height: int = 4) -> Batch:
    frames = np.stack([np.full((1, height, 6, 3), level, np.uint8) for level in levels])
    return Batch(frames=frames, indices=np.arange(len(levels))[:, None], stream=STREAM)


def answers(extractor: Levels, batches: list[Batch]) -> list[Any]:
    """Return what each of these callers gets, all of them waiting while the network is busy with another."""
    shared = SharedBatches(extractor)
    extractor.gate.clear()

    def ask(batch: Batch) -> Any:
        try:
            return shared.extract(batch)["level"].tolist()
        except MetricError as error:
            return str(error)

    with ThreadPoolExecutor(len(batches) + 1) as threads:
        first = threads.submit(ask, windows(99, 98, 97, 96))
        while not extractor.calls:
            time.sleep(0.001)
        found = []
        for batch in batches:
            known = len(shared._waiting)
            found.append(threads.submit(ask, batch))
            while len(shared._waiting) == known:
                time.sleep(0.001)
        extractor.gate.set()
        assert first.result(10) == [99, 98, 97, 96]
        return [each.result(10) for each in found]


def test_batches_that_are_not_full_are_put_together_and_each_caller_gets_its_own_rows() -> None:
    extractor = Levels()
    assert answers(extractor, [windows(1), windows(2, 3), windows(4)]) == [[1], [2, 3], [4]]
    assert extractor.calls == [4, 4]


def test_what_does_not_fit_waits_for_the_next_call() -> None:
    extractor = Levels()
    assert answers(extractor, [windows(1, 2, 3), windows(4, 5), windows(6)]) == [[1, 2, 3], [4, 5], [6]]
    assert sorted(extractor.calls) in ([2, 4, 4], [3, 3, 4])  # the single one goes with whoever is called first


@pytest.mark.parametrize(
    ("info", "other"),
    [
        ({}, windows(2, height=5)),
        ({"needs": frozenset({"prompt"})}, windows(2)),
        ({"shares_batches": False}, windows(2)),
        ({}, None),
    ],
)
def test_frames_of_another_size_and_rows_that_need_more_than_frames_are_not_put_together(
    info: dict[str, Any], other: Batch | None
) -> None:
    extractor = Levels(**info)
    assert answers(extractor, [windows(1), other or windows(2)]) == [[1], [2]]
    assert extractor.calls == ([4, 2] if other is None else [4, 1, 1])


def test_a_window_that_fails_takes_no_other_clip_with_it() -> None:
    extractor = Levels()
    assert answers(extractor, [windows(1), windows(0), windows(3, 4)]) == [[1], "a dark window among 4", [3, 4]]


def test_many_callers_get_what_they_would_get_alone() -> None:
    generator = np.random.default_rng(0)
    batches = [windows(*generator.integers(1, 255, generator.integers(1, 5)).tolist()) for _ in range(300)]
    extractor = Levels()
    shared = SharedBatches(extractor)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda batch: shared.extract(batch)["level"].tolist(), batches))
    assert found == [batch.frames[:, 0, 0, 0, 0].tolist() for batch in batches]
    assert not shared._waiting
    assert shared.calls <= len(batches)


def test_another_number_of_rows_is_refused_by_name() -> None:
    class Short(Levels):
        def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
            return {"level": super().extract(batch)["level"][:3]}

    with pytest.raises(MetricError, match=r"`levels` returned 'level' of length 3 for a batch of 4"):
        extract_padded(Short(), windows(1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip_vit_b32", "dino_vitb16", "dreamsim_ensemble", "laion_aesthetic"])
def test_the_bits_of_a_row_of_a_real_network_have_neither_place_nor_neighbours(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "3")
    extractor = registry("extractors").create(name)
    size = extractor.info.batch_size
    assert size > 1
    assert extractor.info.shares_batches
    frames = np.random.default_rng(0).integers(0, 256, (size + 1, 1, 96, 128, 3), np.uint8)

    def rows(chosen: list[int]) -> dict[str, NDArray[Any]]:
        batch = Batch(frames=frames[chosen], indices=np.zeros((len(chosen), 1), np.int64), stream=STREAM)
        found: dict[str, NDArray[Any]] = extract_padded(extractor, batch)
        return found

    alone = rows([0])
    for place in range(size):
        others = list(range(1, size))
        together = rows([*others[:place], 0, *others[place:]])
        for key, row in alone.items():
            np.testing.assert_array_equal(together[key][place], row[0])
