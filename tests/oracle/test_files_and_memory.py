"""That a lossless file, through decoder and feature store, scores as its frames in memory do, to the bit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fidelity_cases import FIDELITY_CASES
from metric_clips import noise, still, texture, translating
from metric_tester import Case, MemoryFeatures
from stored_cases import written

from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Metric
from anisora.harness.registry import registry
from anisora.harness.stages.score import score_one
from anisora.metrics.catalog import CATALOG

MOVING = translating(shift=(2, 1), num_frames=12, height=48, width=64)
IMAGES = tuple((position, texture(60, 50, seed=9)) for position in (0.0, 0.02, 0.5, 1.0))

CASES = (
    Case(name="everything given", clip=MOVING, ground_truth=noise(num_frames=12), images=IMAGES),
    Case(name="held frames", clip=still(num_frames=6), ground_truth=MOVING, images=IMAGES),
    Case(name="one frame", clip=still(num_frames=1), ground_truth=noise(num_frames=1), images=IMAGES),
    *(case for case in FIDELITY_CASES if case.clip.fps == 24.0),
)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_lossless_file_scores_as_its_frames_do(case: Case, pool: DecoderPool, tmp_path: Path) -> None:
    created: list[Metric] = [registry("metrics").create(name) for name in CATALOG["metrics"]]
    metrics = [metric for metric in created if metric.info.group == "core"]
    complete = bool(case.ground_truth and case.images)
    requests = [request for metric in metrics for request in metric.info.requests] if complete else []
    item = written(case, tmp_path, pool)
    before = pool.decodes
    store = FeatureStore(pool=pool, requests=requests)
    for metric in metrics:
        expected = score_one(metric, case.item, MemoryFeatures(case))
        assert score_one(metric, item, store) == expected, metric.info.name
    if complete:
        assert pool.decodes - before == 2, "the clip and its ground truth, once each"
