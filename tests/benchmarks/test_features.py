"""What sharing saves: one decode for all metrics, features kept, held frames computed once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from anisora.harness.cache import FeatureCache
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Metric
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.stages.score import score_one
from anisora.harness.types import Clip, Generation, Sample

METRICS = ("temporal_flickering", "flow_magnitude", "warping_error", "sharpness")


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    path = tmp_path_factory.mktemp("bench") / "clip.mkv"
    with DecoderPool() as pool:
        pool.encode(render(Scene(action="walk", seed=1, width=480, height=270, num_frames=24)), fps=24.0, path=path)
    return Generation(sample=Sample(id="a"), clip=Clip(path=path, digest=sha256_of_file(path)), model="m")


def scored(item: Generation, pool: DecoderPool, cache: FeatureCache | None, groups: list[tuple[str, ...]]) -> int:
    """Score with one store per group of metrics; return the decodes."""
    before = pool.decodes
    for group in groups:
        metrics: list[Metric] = [registry("metrics").create(name) for name in group]
        requests = {request for metric in metrics for request in metric.info.requests}
        store = FeatureStore(pool=pool, requests=sorted(requests, key=str), cache=cache)
        for metric in metrics:
            assert score_one(metric, item, store).value is not None
    return pool.decodes - before


@pytest.mark.benchmark(group="features")
@pytest.mark.parametrize("way", ["one decode for all metrics", "one decode per metric", "kept features"])
def test_scoring_one_clip(benchmark: BenchmarkFixture, item: Generation, tmp_path: Path, way: str) -> None:
    cache = FeatureCache(tmp_path) if way == "kept features" else None
    groups = [(name,) for name in METRICS] if way == "one decode per metric" else [METRICS]
    with DecoderPool() as pool:
        scored(item, pool, cache, groups)
        work: Callable[[], int] = lambda: scored(item, pool, cache, groups)  # noqa: E731
        decodes = benchmark.pedantic(work, rounds=5)
    benchmark.extra_info["decodes"] = decodes
    assert decodes == {"one decode for all metrics": 1, "one decode per metric": 4, "kept features": 0}[way]
