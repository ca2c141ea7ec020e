"""CPU seconds of each VBench dimension on one clip, and what its networks alone take for the same items.

Both are measured in turns within one run, so that their ratio means something on a machine that is busy. The networks
have their full size and random weights. Decoding is the work of another process and is not counted; neither is loading.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from metric_clips import translating
from pytest_benchmark.fixture import BenchmarkFixture

from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Metric
from anisora.harness.registry import Spec, registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Condition, Generation, Image, Sample

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("open_clip")

WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 9, 16.0
ROUNDS = 5


class Recorder:
    """A network that notes what it is asked."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.is_noting = True
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def __call__(self, *given: Any) -> Any:
        return self._ask("__call__", given)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.network, name)
        return (lambda *given: self._ask(name, given)) if name.startswith("encode_") else found

    def _ask(self, method: str, given: tuple[Any, ...]) -> Any:
        if self.is_noting:
            self.asked.append((method, given))
        return getattr(self.network, method)(*given)

    def bare(self) -> Callable[[], None]:
        """Return what asks the network for all items once more: pictures in one batch, what fills batches up left out.

        Pairs of frames and texts are asked for as they were.
        """
        pictures: dict[tuple[int, ...], dict[bytes, torch.Tensor]] = {}
        others = []
        for method, given in self.asked:
            if method == "__call__" and len(given) == 1 and given[0].ndim == 4:
                for row in given[0]:
                    pictures.setdefault(tuple(row.shape), {})[row.numpy().tobytes()] = row
            else:
                others.append((method, given))
        batches = [torch.stack(list(rows.values())) for rows in pictures.values()]

        def ask() -> None:
            for batch in batches:
                self.network(batch)
            for method, given in others:
                getattr(self.network, method)(*given)

        return ask


def networks() -> dict[str, Callable[[], Any]]:
    """Return {extractor: what makes its network}."""
    from anisora.metrics.networks.actionclip import ActionClip
    from anisora.metrics.networks.amt import AmtS
    from anisora.metrics.networks.clip import ClipImageTower
    from anisora.metrics.networks.dino import DinoVitB16
    from anisora.metrics.networks.dreamsim import DreamSim
    from anisora.metrics.networks.laion_aesthetic_linear import AestheticPredictor
    from anisora.metrics.networks.musiq import Musiq
    from anisora.metrics.networks.raft import Raft
    from anisora.metrics.networks.viclip import ViClip

    return {
        "actionclip": ActionClip,
        "amt_s": AmtS,
        "clip_vit_b32": lambda: ClipImageTower("ViT-B/32"),
        "dino_vitb16": DinoVitB16,
        "dino_vitb16_images": DinoVitB16,
        "dreamsim_ensemble": DreamSim,
        "dreamsim_ensemble_images": DreamSim,
        "laion_aesthetic": AestheticPredictor,
        "musiq_spaq": Musiq,
        "raft_things": Raft,
        "viclip": ViClip,
    }


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    from PIL import Image as Picture

    made = translating(shift=(3, 1), num_frames=FRAMES, width=WIDTH, height=HEIGHT, fps=FPS, smoothness=4.0)
    path = tmp_path_factory.mktemp("speed") / "clip.mkv"
    with DecoderPool() as pool:
        pool.encode(made.frames, fps=FPS, path=path, encoder="ffv1")
    still = path.with_suffix(".png")
    Picture.fromarray(made.frames[0]).save(still)
    condition = Condition(keyframes=((0.0, Image(path=still, digest=sha256_of_file(still))),))
    sample = Sample(id="slide", prompt="a girl walks", condition=condition)
    return Generation(sample=sample, clip=clip_at(path, None), model="drawn")


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(
    "name",
    [
        "subject_consistency",
        "i2v_subject",
        "background_consistency",
        "i2v_background",
        "aesthetic_quality",
        "imaging_quality",
        "motion_smoothness",
        "dynamic_degree",
        "temporal_flickering",
        "overall_consistency",
        "motion_score",
    ],
)
def test_a_dimension_and_its_bare_networks(
    benchmark: BenchmarkFixture, item: Generation, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "3")
    metric: Metric = registry("metrics").create(name)
    extractors: dict[str, Any] = {}
    recorders: list[Recorder] = []
    built: dict[tuple[str, ...], Any] = {}
    for request in metric.info.requests:
        spec = Spec.parse(request.extractor)
        extractor = registry("extractors").create(spec)
        if extractor.info.weights:
            weights = extractor.info.weights
            # Frames and conditioning images go through one network.
            if weights not in built:
                built[weights] = networks()[spec.name]()
            recorders.append(Recorder(built[weights]))
            extractor = type(extractor)(**spec.args, network=recorders[-1])
        extractors[request.extractor] = extractor
    with DecoderPool() as pool:

        def scored() -> None:
            store = FeatureStore(pool=pool, requests=metric.info.requests, extractors=extractors)
            found = metric.score(item, store)
            assert found.value is not None, found.note

        scored()
        for recorder in recorders:
            recorder.is_noting = False
        asks = [recorder.bare() for recorder in recorders]
        alone: list[float] = []

        def bare() -> None:
            start = time.process_time()
            for ask in asks:
                ask()
            alone.append(time.process_time() - start)

        benchmark.pedantic(scored, setup=bare, rounds=ROUNDS)
    seconds = benchmark.stats.stats.median if benchmark.stats else float("nan")
    assert len(alone) >= ROUNDS
    networks_alone = median(alone[-ROUNDS:])
    told = f"{name}: {seconds:.2f} s, its networks alone {networks_alone:.2f} s"
    if recorders:
        benchmark.extra_info["ratio"] = round(seconds / networks_alone, 3)
        told += f", ratio {seconds / networks_alone:.2f}"
    sys.stdout.write(f"\n{told}\n")
